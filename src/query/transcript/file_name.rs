//! `Content-Disposition` with a file name (RFC 6266).
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything except `attr-char` (RFC 8187, section 3.2.1).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// For a file `<name>.<ending>`. Characters that file systems reject, or that could leave the
/// folder, become `_`; clients that only understand ASCII get a second name.
pub fn disposition(name: &str, ending: &str) -> String {
    let is_unsafe = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let name = name.replace(is_unsafe, "_");
    let name = format!("{}.{ending}", name.trim_start_matches('.'));
    let plain = name.replace(|c: char| !c.is_ascii() || c == '%', "_");
    if plain == name {
        return format!("inline; filename=\"{plain}\"");
    }
    let exact = utf8_percent_encode(&name, ESCAPED);
    format!("inline; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_whole() {
        for (name, expected) in [
            ("call 42", "inline; filename=\"call 42.srt\""),
            ("../a\"b\\c\r\n", "inline; filename=\"_a_b_c__.srt\""),
            (
                "Grüße 50%",
                "inline; filename=\"Gr__e 50_.srt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%2050%25.srt",
            ),
            (
                "שיחה",
                "inline; filename=\"____.srt\"; filename*=UTF-8''%D7%A9%D7%99%D7%97%D7%94.srt",
            ),
        ] {
            assert_eq!(disposition(name, "srt"), expected);
        }
    }
}
