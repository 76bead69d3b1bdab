//! Breaks long texts into lines, and assigns times to them.
use std::ops::Range;

use serde_json::Value;
use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation as _;

/// Breaks a text into lines of at most `max` characters; returns byte ranges without trailing
/// spaces. A character is an extended grapheme cluster (UAX #29) and is never split; breaks follow
/// UAX #14, and are within a word only if it is longer than a line.
pub fn wrap(text: &str, max: usize) -> Vec<Range<usize>> {
    let starts = starts(text);
    let before = |at: usize| starts.partition_point(|start| *start < at);
    let trimmed = |text: &str| text.trim_end_matches(' ').len();
    let is_whole = |at: usize| at == text.len() || starts.binary_search(&at).is_ok();
    let mut lines = Vec::new();
    let mut line = 0..0;
    let mut from = 0;
    for (to, _) in linebreaks(text).filter(|(at, _)| is_whole(*at)) {
        let end = from + trimmed(&text[from..to]);
        let is_too_long = |line: &Range<usize>| before(end) - before(line.start) > max;
        if is_too_long(&line) && !line.is_empty() {
            lines.push(std::mem::replace(&mut line, from..from));
        }
        while is_too_long(&line) {
            let cut = starts[before(line.start) + max];
            lines.push(line.start..line.start + trimmed(&text[line.start..cut]));
            line = cut..cut;
            while text[line.start..].starts_with(' ') && is_whole(line.start + 1) {
                line = line.start + 1..line.start + 1;
            }
        }
        line.end = end;
        from = to;
    }
    lines.push(line);
    lines.retain(|line| !line.is_empty());
    lines
}

/// Byte offsets of the characters in a line.
fn starts(text: &str) -> Vec<usize> {
    if text.is_ascii() {
        return (0..text.len()).collect();
    }
    text.grapheme_indices(true).map(|(at, _)| at).collect()
}

fn characters(text: &str) -> f64 {
    let count = if text.is_ascii() { text.len() } else { text.graphemes(true).count() };
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Times of the words of an utterance in seconds; `None` unless there is one for each of the
/// `count` words of its text.
fn word_times(timings: Option<&Value>, count: usize) -> Option<Vec<(f64, f64)>> {
    let timings = timings?.as_array().filter(|timings| timings.len() == count)?;
    let time = |word: &Value| Some((word.get("start")?.as_f64()?, word.get("end")?.as_f64()?));
    timings.iter().map(time).collect()
}

/// Start and end in seconds of each piece of an utterance that lasts from `start` to `end`.
///
/// `pieces` are its text, split, with spaces included. A split between two words gets its time from
/// the word timings; any other is placed as if all characters took equally long.
pub fn times(start: f64, end: f64, pieces: &[&str], timings: Option<&Value>) -> Vec<(f64, f64)> {
    let spaces = |text: &str| text.matches(' ').count();
    if pieces.len() < 2 {
        return vec![(start, end)];
    }
    let all: f64 = pieces.iter().map(|piece| characters(piece)).sum();
    let words = word_times(timings, pieces.iter().map(|piece| spaces(piece)).sum::<usize>() + 1);
    let (mut said, mut word) = (0.0, 0);
    let mut from = start;
    let mut times = Vec::with_capacity(pieces.len());
    for piece in &pieces[..pieces.len() - 1] {
        said += characters(piece);
        word += spaces(piece);
        let share = start + (end - start) * said / all.max(1.0);
        let between =
            || Some((words.as_ref()?.get(word.checked_sub(1)?)?.1, words.as_ref()?.get(word)?.0));
        let (to, next) = piece.ends_with(' ').then(between).flatten().unwrap_or((share, share));
        let next = next.max(from).min(end);
        times.push((from, to.max(from).min(next)));
        from = next;
    }
    times.push((from, end));
    times
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::query::transcript::line::one_line;

    fn lines(text: &str, max: usize) -> Vec<&str> {
        wrap(text, max).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn lines_break_between_words_and_within_them_only_if_they_must() {
        let text = "Thank you for calling the workshop, how can I help?";
        assert_eq!(
            lines(text, 20),
            ["Thank you for", "calling the", "workshop, how can I", "help?"]
        );
        assert_eq!(
            lines("a Donaudampfschifffahrt b", 10),
            ["a", "Donaudampf", "schifffahr", "t b"]
        );
        assert_eq!(lines("10\u{a0}000 km", 6), ["10\u{a0}000", "km"]);
        assert_eq!(lines("", 20), Vec::<&str>::new());
    }

    #[test]
    fn what_is_seen_as_one_character_is_never_cut() {
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(
            lines(&family.repeat(5), 2),
            [family.repeat(2), family.repeat(2), family.to_owned()]
        );
        let word = "e\u{301}".repeat(5);
        assert_eq!(lines(&word, 3), ["e\u{301}".repeat(3), "e\u{301}".repeat(2)]);
        assert_eq!(lines("\u{d4e} 👩", 1), ["\u{d4e}", "👩"]);
    }

    #[test]
    fn cuts_between_words_take_their_times() {
        let timings = json!([
            { "word": "a", "start": 1.0, "end": 1.5 },
            { "word": "b", "start": 2.0, "end": 2.5 },
            { "word": "c", "start": 9.0, "end": 10.0 },
        ]);
        let pieces = ["a b ", "c"];
        assert_eq!(times(1.0, 10.0, &pieces, Some(&timings)), [(1.0, 2.5), (9.0, 10.0)]);
        // A split inside a word has no timing, and three words do not fit two timings.
        let halved = times(0.0, 6.0, &["a b c", "d"], Some(&timings));
        assert_eq!(halved, [(0.0, 5.0), (5.0, 6.0)]);
        assert_eq!(times(1.0, 5.0, &["a ", "bc"], Some(&timings)), [(1.0, 3.0), (3.0, 5.0)]);
    }

    proptest! {
        #[test]
        fn no_text_is_lost_and_no_line_too_long(text in "(\\PC|[a-z]{0,12}| |\u{301}|👩‍🚀){0,60}", max in 1..50_usize) {
            let text = one_line(&text);
            let lines = lines(&text, max);
            for line in &lines {
                prop_assert!(line.graphemes(true).count() <= max, "{line:?}");
                prop_assert!(!line.is_empty() && !line.ends_with(' '));
            }
            let shown: String = lines.concat().replace(' ', "");
            prop_assert_eq!(shown, text.replace(' ', ""));
            // A space may belong to the character before it: some are only shown with what follows.
            let characters = |text: &str| -> Vec<String> {
                let trimmed = text.graphemes(true).map(|it| it.trim_end_matches(' ').to_owned());
                trimmed.filter(|it| !it.is_empty()).collect()
            };
            let cut: Vec<String> = lines.iter().flat_map(|line| characters(line)).collect();
            prop_assert_eq!(cut, characters(&text));
        }

        #[test]
        fn times_rise_and_stay_within_the_utterance(
            start in 0.0..100.0, length in 0.0..100.0,
            pieces in proptest::collection::vec("[a-z]{1,4}( [a-z]{1,4}){0,3} ?", 1..6),
            words in proptest::collection::vec((-10.0..300.0, -10.0..300.0), 0..12),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let words = words.iter().map(|(start, end)| json!({ "start": start, "end": end }));
            let times = times(start, start + length, &pieces, Some(&words.collect()));
            prop_assert_eq!(times.len(), pieces.len());
            prop_assert_eq!((times[0].0, times.last().unwrap().1), (start, start + length));
            let all: Vec<f64> = times.into_iter().flat_map(|(start, end)| [start, end]).collect();
            prop_assert!(all.is_sorted(), "{all:?}");
        }
    }
}
