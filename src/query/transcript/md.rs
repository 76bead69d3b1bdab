//! Markdown (CommonMark): one paragraph per turn of a speaker.
use super::{
    json::{Paragraph, paragraphs_of},
    line::{clock, label, millis, one_line},
};
use crate::insights::Spoken;

pub fn write(spoken: &[Spoken]) -> String {
    let blocks: Vec<String> = paragraphs_of(spoken).iter().filter_map(block).collect();
    blocks.join("\n")
}

fn block(paragraph: &Paragraph<'_>) -> Option<String> {
    let text = escaped(&one_line(&paragraph.text));
    let at = clock(millis(paragraph.start));
    let name = label(paragraph.first).map(|name| format!("**{}** ", escaped(&name)));
    let name = name.unwrap_or_default();
    (!text.is_empty()).then(|| format!("{name}({at})\n\n{text}\n"))
}

/// Escapes every character with a meaning in Markdown, and at the start of a line also those that
/// begin blocks: headings, lists, rules.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    for (at, c) in text.char_indices() {
        let begins_block =
            (at == 0 && "#+-=".contains(c)) || (at == digits && at > 0 && ".)".contains(c));
        if begins_block || "\\`*_[]<>&~|".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_becomes_markup() {
        for (said, expected) in [
            (
                "*a* _b_ `c` [d](e) <f> &amp; ~g~ h|i \\",
                "\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) \\<f\\> \\&amp; \\~g\\~ h\\|i \\\\",
            ),
            ("# a", "\\# a"),
            ("- a - b", "\\- a - b"),
            ("12. May, 3. June", "12\\. May, 3. June"),
            ("1) a", "1\\) a"),
            ("12", "12"),
            ("=", "\\="),
            (". a", ". a"),
        ] {
            assert_eq!(escaped(said), expected);
        }
    }
}
