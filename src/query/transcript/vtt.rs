//! WebVTT (W3C, Candidate Recommendation of 2019-04-04).
use std::fmt::Write as _;

use super::{
    cues::{Layout, cues},
    line::clock,
};
use crate::insights::Spoken;

pub fn write(spoken: &[Spoken], max_chars: Option<usize>) -> String {
    let mut file = "WEBVTT\n".to_owned();
    for cue in cues(spoken, Layout { max_chars, has_names: false }) {
        let voice = cue.speaker.map(|name| format!("<v {}>", escaped(&name))).unwrap_or_default();
        let text = escaped(&cue.lines.join("\n"));
        // Writing to a String cannot fail.
        let _ = writeln!(file, "\n{} --> {}\n{voice}{text}", time(cue.start), time(cue.end));
    }
    file
}

fn time(millis: u128) -> String {
    format!("{}.{:03}", clock(millis), millis % 1000)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::cues::tests::spoken, *};

    proptest! {
        #[test]
        fn what_is_written_reads_back(spoken in spoken(), max in proptest::option::of(20..120_usize)) {
            let file = write(&spoken, max);
            prop_assert_eq!(file.matches("-->").count(), file.matches(" --> ").count());
            let mut blocks = file.strip_suffix('\n').unwrap().split("\n\n");
            prop_assert_eq!(blocks.next(), Some("WEBVTT"));
            let unescaped =
                |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            let mut cues = cues(&spoken, Layout { max_chars: max, has_names: false }).into_iter();
            for block in blocks {
                let cue = cues.next().unwrap();
                let (times, text) = block.split_once('\n').unwrap();
                prop_assert_eq!(times, format!("{} --> {}", time(cue.start), time(cue.end)));
                let (voice, text) = match text.strip_prefix("<v ") {
                    Some(text) => text.split_once('>').map(|(name, text)| (Some(name), text)).unwrap(),
                    None => (None, text),
                };
                prop_assert!(!text.contains(['<', '>']));
                prop_assert_eq!(voice.map(unescaped), cue.speaker);
                prop_assert_eq!(unescaped(text), cue.lines.join("\n"));
            }
            prop_assert!(cues.next().is_none());
        }
    }
}
