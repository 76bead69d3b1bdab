//! A result as it will be stored.
use std::fmt::Write as _;

use serde_json::Value;

use super::{Analysis, Member};

/// The members of a document that the contract names.
const NAMED: [&str; 3] = ["utteranceInsights", "speakerInsights", "conversationalInsights"];

#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Without its document.
    pub analysis: Analysis,
    /// What follows our own members in the document, each behind a comma.
    pub(super) members: String,
}

impl From<Analysis> for Prepared {
    fn from(mut analysis: Analysis) -> Self {
        let members = members(&std::mem::take(&mut analysis.document));
        Self { analysis, members }
    }
}

/// The provider's members as they came. Those that the contract does not name move to `other`, so
/// that they can never hide one of ours.
fn members(document: &[Member]) -> String {
    let is_named = |member: &&Member| NAMED.contains(&member.name.as_str());
    let pair = |member: &Member| format!("{}:{}", Value::from(member.name.as_str()), member.json);
    let mut text: String =
        document.iter().filter(is_named).map(|member| format!(",{}", pair(member))).collect();
    let other: Vec<String> = document.iter().filter(|member| !is_named(member)).map(pair).collect();
    if !other.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, ",\"other\":{{{}}}", other.join(","));
    }
    text
}
