//! A result as it will be stored. Its JSON is text here: the tree of a long call takes megabytes, and
//! many results may wait for their turn at once.
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::Analysis;

/// The members of a document that the contract names.
const NAMED: [&str; 3] = ["utteranceInsights", "speakerInsights", "conversationalInsights"];

#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Without its document and its word timings.
    pub analysis: Analysis,
    /// Of each utterance, as JSON.
    pub word_timings: Vec<Option<String>>,
    /// What follows our own members in the document, each behind a comma.
    pub(super) members: String,
}

impl From<Analysis> for Prepared {
    fn from(mut analysis: Analysis) -> Self {
        let members = members(std::mem::take(&mut analysis.document));
        let utterances = analysis.utterances.iter_mut();
        let word_timings =
            utterances.map(|u| u.word_timings.take().map(|timings| timings.to_string())).collect();
        Self { analysis, word_timings, members }
    }
}

/// The provider's members as they came. Those that the contract does not name move to `other`, so
/// that they can never hide one of ours.
fn members(document: Map<String, Value>) -> String {
    let mut text = String::new();
    let mut other = Map::new();
    for (name, value) in document {
        if NAMED.contains(&name.as_str()) {
            // Writing to a String cannot fail.
            let _ = write!(text, ",\"{name}\":{value}");
        } else {
            other.insert(name, value);
        }
    }
    if !other.is_empty() {
        let _ = write!(text, ",\"other\":{}", Value::Object(other));
    }
    text
}
