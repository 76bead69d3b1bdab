//! `SubRip`, as players read it: there is no standard.
use std::fmt::Write as _;

use super::{
    cues::{Layout, cues},
    line::clock,
};
use crate::insights::Spoken;

/// Tags are not escaped, since players differ in how they treat them. The arrow between times is
/// replaced in the text.
pub fn write(spoken: &[Spoken], max_chars: Option<usize>) -> String {
    let mut file = String::new();
    for (number, cue) in (1..).zip(cues(spoken, Layout { max_chars, has_names: true })) {
        let text = cue.lines.join("\n").replace("-->", "→");
        // Writing to a String cannot fail.
        let _ = writeln!(file, "{number}\n{} --> {}\n{text}\n", time(cue.start), time(cue.end));
    }
    file
}

fn time(millis: u128) -> String {
    format!("{},{:03}", clock(millis), millis % 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::cues::tests::spoken, *};

    proptest! {
        #[test]
        fn what_is_written_reads_back(spoken in spoken(), max in proptest::option::of(20..120_usize)) {
            let file = write(&spoken, max);
            let cues = cues(&spoken, Layout { max_chars: max, has_names: true });
            let blocks: Vec<&str> = file.split_terminator("\n\n").collect();
            prop_assert_eq!(blocks.len(), cues.len());
            for (number, (block, cue)) in (1..).zip(blocks.into_iter().zip(cues)) {
                let mut lines = block.split('\n');
                prop_assert_eq!(lines.next(), Some(&*format!("{number}")));
                let times = format!("{} --> {}", time(cue.start), time(cue.end));
                prop_assert_eq!(lines.next(), Some(&*times));
                let text: Vec<String> = cue.lines.iter().map(|it| it.replace("-->", "→")).collect();
                prop_assert_eq!(lines.collect::<Vec<_>>(), text);
            }
        }
    }
}
