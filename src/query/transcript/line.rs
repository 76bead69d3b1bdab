//! Shared by all formats for people: one line per text, with a name in front.
use std::time::Duration;

use crate::insights::Spoken;

/// First strong isolate and its end (UAX #9): the text between has its own direction.
const ISOLATE: char = '\u{2068}';
const END_OF_ISOLATE: char = '\u{2069}';

/// The text on one line: white space becomes single spaces, other control characters are removed.
/// Non-breaking spaces are kept.
pub fn one_line(text: &str) -> String {
    let is_space = |c: char| c.is_whitespace() && !"\u{a0}\u{2007}\u{202f}".contains(c);
    let words = text.split(is_space).map(|word| word.replace(char::is_control, ""));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The name of a speaker; `None` when the speaker is unknown.
pub fn label(said: &Spoken) -> Option<String> {
    let name = said.speaker.as_deref().map(one_line);
    name.or_else(|| said.speaker_id.as_deref().map(|id| one_line(&format!("Speaker {id}"))))
}

/// The text before a speaker's words: `Rachel: `, or nothing.
pub fn prefix(label: Option<&str>) -> String {
    label.map(|label| format!("{label}: ")).unwrap_or_default()
}

/// A line that begins with a prefix of that many bytes. If it contains right-to-left text, the rest
/// is isolated: otherwise the name would move into it, and its punctuation to the wrong end.
pub fn isolated(line: &str, prefix_bytes: usize) -> String {
    match line.split_at_checked(prefix_bytes) {
        Some((prefix, rest)) if prefix_bytes > 0 && !rest.is_empty() && is_right_to_left(line) => {
            format!("{prefix}{ISOLATE}{rest}{END_OF_ISOLATE}")
        }
        _ => line.to_owned(),
    }
}

/// Whether the text has characters from blocks that are right-to-left by default
/// (`DerivedBidiClass.txt` of the Unicode Character Database, "@missing" lines).
fn is_right_to_left(text: &str) -> bool {
    text.contains(|c| {
        matches!(c,
            '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    })
}

/// Rounds to the nearest millisecond.
pub fn millis(seconds: f64) -> u128 {
    Duration::try_from_secs_f64(seconds + 0.0005).unwrap_or_default().as_millis()
}

/// `HH:MM:SS`; hours have more digits when needed.
pub fn clock(millis: u128) -> String {
    let seconds = millis / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_line() {
        assert_eq!(one_line(" a\r\n\n b\tc\u{2028}d\u{7}e\u{1b}[1m "), "a b c de[1m");
        assert_eq!(one_line("Ça va\u{a0}?"), "Ça va\u{a0}?");
        assert_eq!(one_line("\u{0}\n \u{85}"), "");
    }

    #[test]
    fn only_lines_with_right_to_left_text_are_isolated() {
        assert_eq!(isolated("Tom: Hello.", 5), "Tom: Hello.");
        assert_eq!(isolated("Tom: שלום.", 5), "Tom: \u{2068}שלום.\u{2069}");
        assert_eq!(isolated("שרה: Hello.", 8), "שרה: \u{2068}Hello.\u{2069}");
        assert_eq!(isolated("שלום.", 0), "שלום.");
    }

    #[test]
    fn times_are_read_off_a_clock() {
        for (seconds, expected) in [
            (0.0, "00:00:00.000"),
            (0.31, "00:00:00.310"),
            (59.9996, "00:01:00.000"),
            (3_599.999, "00:59:59.999"),
            (360_000.0, "100:00:00.000"),
            (1e7, "2777:46:40.000"),
        ] {
            let millis = millis(seconds);
            assert_eq!(format!("{}.{:03}", clock(millis), millis % 1000), expected);
        }
    }
}
