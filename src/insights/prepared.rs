//! A result as it will be stored.
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
