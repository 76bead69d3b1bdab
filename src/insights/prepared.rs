//! A result prepared for storage.
use serde_json::Value;

use super::{Analysis, Member, Utterance};
use crate::conversations::{Said, Shape, ShapeInput, millis};

/// The members of a document that the contract defines.
const NAMED: [&str; 3] = ["utteranceInsights", "speakerInsights", "conversationalInsights"];

#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Without its document.
    pub analysis: Analysis,
    /// The provider's members, which follow our own in the document, each preceded by a comma.
    pub(super) members: String,
    pub(super) shape: Shape,
}

impl From<Analysis> for Prepared {
    fn from(mut analysis: Analysis) -> Self {
        let members = members(&std::mem::take(&mut analysis.document));
        let shape = Shape::of(&analysis.found());
        Self { analysis, members, shape }
    }
}

impl Analysis {
    /// The input for the shape.
    fn found(&self) -> ShapeInput<'_> {
        let of_speakers = self.speaker_insights.iter();
        let of_all = self.conversation_insights.iter();
        ShapeInput {
            said: self.utterances.iter().map(|it| (it.said(), it.words())).collect(),
            asked: self.questions.iter().map(|it| it.speaker_id.as_str()).collect(),
            described: of_speakers.clone().map(|it| it.speaker_id.as_str()).collect(),
            insight_names: of_speakers
                .map(|it| it.name.as_str())
                .chain(of_all.map(|it| it.name.as_str()))
                .collect(),
        }
    }
}

impl Utterance {
    pub(super) fn said(&self) -> Said<'_> {
        Said {
            start: millis(self.start),
            end: millis(self.end),
            speaker: self.speaker_id.as_deref(),
            emotion: self.emotion.as_deref(),
        }
    }

    /// Number of words separated by white space.
    pub(super) fn words(&self) -> i32 {
        i32::try_from(self.text.split_whitespace().count()).unwrap_or(i32::MAX)
    }
}

/// The provider's members as received. Members that the contract does not define move to `other`,
/// so that they cannot hide one of ours.
fn members(document: &[Member]) -> String {
    let (named, other): (Vec<_>, Vec<_>) =
        document.iter().partition(|member| NAMED.contains(&member.name.as_str()));
    let pair = |member: &Member| format!("{}:{}", Value::from(member.name.as_str()), member.json);
    let mut pairs: Vec<String> = named.into_iter().map(pair).collect();
    if !other.is_empty() {
        let other: Vec<String> = other.into_iter().map(pair).collect();
        pairs.push(format!("\"other\":{{{}}}", other.join(",")));
    }
    if pairs.is_empty() { String::new() } else { format!(",{}", pairs.join(",")) }
}
