//! A CSV table (RFC 4180).
use std::fmt::Write as _;

use super::line::label;
use crate::insights::Spoken;

/// Texts are not reflowed.
pub fn write(spoken: &[Spoken]) -> String {
    let mut table = "seq,start,end,speakerId,speaker,text\r\n".to_owned();
    for said in spoken {
        let Spoken { seq, start_seconds, end_seconds, .. } = said;
        let id = cell(said.speaker_id.as_deref().unwrap_or_default());
        let speaker = cell(&label(said).unwrap_or_default());
        let text = cell(&said.text);
        // Writing to a String cannot fail.
        let _ = write!(table, "{seq},{start_seconds},{end_seconds},{id},{speaker},{text}\r\n");
    }
    table
}

/// Spreadsheets execute cells that begin with these characters as formulas, quoted or not; an
/// apostrophe marks them as text (OWASP, "CSV Injection").
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_never_formulas() {
        for (text, expected) in [
            ("a b", "a b"),
            ("a, b", "\"a, b\""),
            ("she said \"no\"", "\"she said \"\"no\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("-5 degrees", "'-5 degrees"),
            ("\t=1", "'\t=1"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
