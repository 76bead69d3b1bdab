//! Repairs JSON text that `serde_json` rejects because of a bad character or number.
//!
//! Only for bodies that were rejected: it works lexically, in two passes, without a grammar, so the
//! result must still be parsed. Every repair is counted.
use crate::insights::Issue;

/// A body that needs more repairs is noise, and repairing it would only use up memory.
const MOST_REPAIRS: usize = 100_000;

/// The repaired text, and what was repaired.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Repaired {
    pub text: String,
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
    pub byte_order_mark: bool,
    pub invalid_utf8: usize,
    pub lone_surrogates: usize,
    pub huge_numbers: usize,
}

impl Repaired {
    pub fn is_changed(&self) -> bool {
        self.byte_order_mark || self.repairs() > 0
    }

    fn repairs(&self) -> usize {
        self.invalid_utf8 + self.lone_surrogates + self.huge_numbers
    }

    pub fn issues(&self) -> Vec<Issue> {
        let count = |count: usize, code: &str, what: &str| {
            (count > 0).then(|| Issue {
                pointer: String::new(),
                code: code.into(),
                detail: format!("{what} ({count} times)"),
            })
        };
        [
            count(usize::from(self.byte_order_mark), "encoding", "byte order mark removed"),
            count(self.invalid_utf8, "encoding", "bytes that are not UTF-8 replaced by U+FFFD"),
            count(self.lone_surrogates, "encoding", "lone surrogates replaced by U+FFFD"),
            count(self.huge_numbers, "range", "numbers beyond double precision replaced by null"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// `None` when there is too much to repair.
pub(super) fn repair(body: &[u8]) -> Option<Repaired> {
    let stripped = body.strip_prefix(b"\xEF\xBB\xBF");
    let mut repaired = Repaired { byte_order_mark: stripped.is_some(), ..Repaired::default() };
    let mut text = String::with_capacity(body.len());
    for chunk in stripped.unwrap_or(body).utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            repaired.invalid_utf8 += 1;
        }
        if repaired.invalid_utf8 > MOST_REPAIRS {
            return None;
        }
    }
    repaired.text.reserve(text.len());
    let mut rest = text.as_str();
    let mut depth = 0_usize;
    while let Some(first) = rest.as_bytes().first() {
        let taken = match first {
            b'"' => string(rest, &mut repaired),
            b'-' | b'0'..=b'9' => number(rest, &mut repaired),
            _ => {
                match first {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                repaired.depth = repaired.depth.max(depth);
                plain(rest, &mut repaired)
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
        if repaired.repairs() > MOST_REPAIRS {
            return None;
        }
    }
    Some(repaired)
}

/// Copies one character.
fn plain(rest: &str, out: &mut Repaired) -> usize {
    let first = rest.chars().next().unwrap_or_default();
    out.text.push(first);
    first.len_utf8()
}

/// Copies a number, or `null` for one that overflows a double.
fn number(rest: &str, out: &mut Repaired) -> usize {
    let part_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let length = rest.bytes().take_while(|byte| part_of_number(byte)).count();
    let token = rest.get(..length).unwrap_or_default();
    if token.parse().is_ok_and(f64::is_infinite) {
        out.huge_numbers += 1;
        out.text.push_str("null");
    } else {
        out.text.push_str(token);
    }
    length
}

/// Copies a string, quotes included, to its end or the end of the text.
fn string(rest: &str, out: &mut Repaired) -> usize {
    out.text.push('"');
    let mut at = 1;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let stop = tail.find(['"', '\\']).unwrap_or(tail.len());
        out.text.push_str(tail.get(..stop).unwrap_or_default());
        at += stop;
        match rest.as_bytes().get(at) {
            Some(b'\\') => at += escape(rest.get(at..).unwrap_or_default(), out),
            Some(_) => {
                out.text.push('"');
                return at + 1;
            }
            None => {}
        }
    }
    at
}

/// Copies one escape, or a whole surrogate pair; half a pair becomes `\ufffd`.
fn escape(rest: &str, out: &mut Repaired) -> usize {
    let Some(unit) = code_unit(rest) else {
        let length = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
        out.text.push_str(rest.get(..length).unwrap_or_default());
        return length;
    };
    let paired = || rest.get(6..).and_then(code_unit).is_some_and(is_low);
    let length = match unit {
        0xD800..=0xDBFF if paired() => 12,
        0xD800..=0xDFFF => {
            out.lone_surrogates += 1;
            out.text.push_str("\\ufffd");
            return 6;
        }
        _ => 6,
    };
    out.text.push_str(rest.get(..length).unwrap_or_default());
    length
}

fn is_low(unit: u16) -> bool {
    (0xDC00..=0xDFFF).contains(&unit)
}

/// The value of a `\uXXXX` at the start of `text`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn mended(body: &[u8]) -> (Value, Repaired) {
        let repaired = repair(body).unwrap();
        (serde_json::from_str(&repaired.text).unwrap(), repaired)
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_a_whole_one_kept() {
        let (value, done) =
            mended(br#"["\ud83d\ude00", "\ud83d", "\ude00\ud83dx", "\\ud83d", "\ud83d\""]"#);
        let expected =
            json!(["\u{1F600}", "\u{FFFD}", "\u{FFFD}\u{FFFD}x", "\\ud83d", "\u{FFFD}\""]);
        assert_eq!(value, expected);
        assert_eq!(done.lone_surrogates, 4);
    }

    #[test]
    fn a_number_beyond_doubles_becomes_null_outside_strings_only() {
        let (value, done) = mended(br#"{"a": 1e400, "b": -1E+999, "c": "1e400", "d": 1e30}"#);
        assert_eq!(value, json!({ "a": null, "b": null, "c": "1e400", "d": 1e30 }));
        assert_eq!(done.huge_numbers, 2);
    }

    #[test]
    fn bad_bytes_and_a_byte_order_mark_are_mended_and_counted() {
        let (value, done) = mended(b"\xEF\xBB\xBF{\"caf\xE9\": \"\xF0\x9F\"}");
        assert_eq!(value, json!({ "caf\u{FFFD}": "\u{FFFD}" }));
        assert!(done.byte_order_mark);
        assert_eq!(done.invalid_utf8, 2);
        assert_eq!(done.issues().len(), 2);
    }

    #[test]
    fn noise_is_given_up_instead_of_mended() {
        assert_eq!(repair(&vec![0xFF; MOST_REPAIRS + 1]), None);
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(repair(br#"[[{"a": "[[[[["}], []]"#).unwrap().depth, 3);
    }

    proptest! {
        #[test]
        fn sound_text_passes_unchanged(text in "\\PC*") {
            let body = json!({ "text": text, "list": [text, 1.5, -3, null] }).to_string();
            let repaired = repair(body.as_bytes()).unwrap();
            prop_assert!(!repaired.is_changed());
            prop_assert_eq!(repaired.text, body);
        }

        #[test]
        fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            repair(&body);
        }

        #[test]
        fn any_run_of_escapes_can_be_parsed_afterwards(
            units in proptest::collection::vec(any::<u16>(), 0..40),
        ) {
            let escapes = units.iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
            let repaired = repair(format!("\"{escapes}\"").as_bytes()).unwrap();
            prop_assert!(serde_json::from_str::<String>(&repaired.text).is_ok());
        }
    }
}
