//! Utterances as subtitles, with their times and lines.
use super::{line, reflow};
use crate::insights::Spoken;

const LINES_A_CUE: usize = 2;

/// One subtitle. Times are in milliseconds; the end is later than the start.
#[derive(Debug, PartialEq, Eq)]
pub struct SubtitleCue {
    pub start: u128,
    pub end: u128,
    pub speaker: Option<String>,
    /// Never contains an empty line.
    pub lines: Vec<String>,
}

/// How cues are laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Characters per line; `None`: everything on one line.
    pub max_chars: Option<usize>,
    /// Whether the first line begins with the speaker's name.
    pub has_names: bool,
}

/// The cues of all utterances, ordered by start; empty utterances have none.
pub fn cues(spoken: &[Spoken], layout: Layout) -> Vec<SubtitleCue> {
    let mut cues: Vec<SubtitleCue> = spoken.iter().flat_map(|said| cues_of(said, layout)).collect();
    cues.sort_by_key(|cue| cue.start);
    cues
}

fn cues_of(said: &Spoken, layout: Layout) -> Vec<SubtitleCue> {
    let text = line::one_line(&said.text);
    if text.is_empty() {
        return Vec::new();
    }
    let speaker = line::label(said);
    let prefix = line::prefix(speaker.as_deref().filter(|_| layout.has_names));
    let text = prefix.clone() + &text;
    let whole = 0..text.len();
    let lines = layout.max_chars.map_or_else(|| vec![whole], |max| reflow::wrap(&text, max));

    // The prefix takes no time.
    let cuts: Vec<usize> = lines.iter().map(|line| line.start.max(prefix.len())).collect();
    let mut cuts: Vec<usize> = cuts.into_iter().step_by(LINES_A_CUE).collect();
    cuts.push(text.len());
    let pieces: Vec<&str> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
    let timings = said.word_timings.as_ref();
    let times = reflow::times(said.start_seconds, said.end_seconds, &pieces, timings);

    let first = line::millis(said.start_seconds);
    let last = line::millis(said.end_seconds).max(first + 1);
    let shown = lines.chunks(LINES_A_CUE).zip(times).map(|(lines, (start, end))| {
        let start = line::millis(start).min(last - 1);
        let end = line::millis(end).max(start + 1);
        let line = |range: &std::ops::Range<usize>| {
            let prefix_bytes = if range.start == 0 { prefix.len() } else { 0 };
            line::isolated(&text[range.clone()], prefix_bytes)
        };
        SubtitleCue {
            start,
            end,
            speaker: speaker.clone(),
            lines: lines.iter().map(line).collect(),
        }
    });
    shown.collect()
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::*;

    /// Utterances as they may be stored: overlapping, out of order, with texts of every kind.
    pub fn spoken() -> impl Strategy<Value = Vec<Spoken>> {
        let text = "(\\PC|[a-z]{0,12}|[ \n\r\t]|-->|<v >|&|,|\"|[א-ת]|\u{301}|👩‍🚀|\u{7}){0,30}";
        let one = (0.0..10_000.0, prop_oneof![Just(0.0), 0.0..60.0], text, 0..4_u8, any::<bool>());
        proptest::collection::vec(one, 0..12).prop_map(|all| {
            let seq = 0..;
            let said =
                all.into_iter().zip(seq).map(|((start, length, text, speaker, is_named), seq)| {
                    Spoken {
                        seq,
                        start_seconds: start,
                        end_seconds: start + length,
                        text,
                        speaker_id: (speaker > 0).then(|| speaker.to_string()),
                        speaker: (speaker > 0 && is_named).then(|| format!("Dr. <{speaker}> & Co")),
                        word_timings: None,
                    }
                });
            said.collect()
        })
    }

    proptest! {
        #[test]
        fn cues_show_all_that_is_said_when_it_is_said(
            spoken in spoken(), max in proptest::option::of(20..120_usize), has_names: bool,
        ) {
            let layout = Layout { max_chars: max, has_names };
            prop_assert!(cues(&spoken, layout).is_sorted_by_key(|cue| cue.start));
            for said in &spoken {
                let cues = cues_of(said, layout);
                let (first, last) =
                    (line::millis(said.start_seconds), line::millis(said.end_seconds));
                let last = last.max(first + 1);
                let text = line::one_line(&said.text);
                prop_assert_eq!(cues.is_empty(), text.is_empty());
                for cue in &cues {
                    prop_assert!(first <= cue.start && cue.start < cue.end && cue.end <= last);
                    prop_assert!(!cue.lines.is_empty() && cue.lines.iter().all(|it| !it.is_empty()));
                }
                prop_assert!(cues.is_sorted_by_key(|cue| (cue.start, cue.end)));
                let bare = |text: &str| text.replace([' ', '\u{2068}', '\u{2069}'], "");
                let shown: String = cues.iter().flat_map(|cue| &cue.lines).map(|it| bare(it)).collect();
                let text = bare(&text);
                prop_assert!(shown.ends_with(&text), "{shown:?} {text:?}");
                if let Some(max) = max {
                    for line in cues.iter().flat_map(|cue| &cue.lines) {
                        let line = line.replace(['\u{2068}', '\u{2069}'], "");
                        prop_assert!(line.graphemes(true).count() <= max);
                    }
                    prop_assert!(cues.iter().all(|cue| cue.lines.len() <= LINES_A_CUE));
                }
            }
        }
    }
}
