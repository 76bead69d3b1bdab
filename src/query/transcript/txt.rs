//! Plain text: one line per utterance.
use super::line::{isolated, label, one_line, prefix};
use crate::insights::Spoken;

pub fn write(spoken: &[Spoken]) -> String {
    let line = |said: &Spoken| {
        let text = one_line(&said.text);
        let prefix = prefix(label(said).as_deref());
        (!text.is_empty()).then(|| isolated(&format!("{prefix}{text}"), prefix.len()) + "\n")
    };
    spoken.iter().filter_map(line).collect()
}
