//! The envelope: bytes of a webhook delivery or a status response in, a [`Message`] out.
//!
//! Tolerant per element: whatever cannot become a row stays in [`Analysis::document`] and is listed
//! in its issues. Both envelope generations are read: the bare one of 2022, and the one with job id
//! and times used since 2023. Source: RingCentral's guide and OpenAPI document; where official
//! payloads contradict the official schema, the payloads.
//! payloads contradict the official schema, the payloads.
mod conversation_insights;
mod drift;
mod raw;
mod read;
mod speakers;
#[cfg(test)]
mod tests;
mod utterances;

use chrono::{DateTime, Utc};

use super::errors::ProviderError;
use super::repair::{self, Repaired};
use super::unreadable::{TOO_DEEP, Unreadable};
use crate::{
    drift::Finding,
    insights::{Analysis, Member},
    json::{Members, Tree},
};
use drift::DriftWalk;
use read::{Element, Issues};

/// Increase when the same bytes would yield different rows, so that stored results can be reparsed.
pub const PARSER_VERSION: i32 = 3;

/// What the provider says about one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `None` in the envelope of 2022.
    pub provider_job_id: Option<String>,
    pub creation_time: Option<DateTime<Utc>>,
    pub completion_time: Option<DateTime<Utc>>,
    /// When the provider deletes the job.
    pub expiration_time: Option<DateTime<Utc>>,
    pub analysis_status: AnalysisStatus,
    /// What deviates from the known contract.
    pub drift: Vec<Finding>,
}

/// Determined by member `status` alone, never by the shape of `response`.
#[derive(Debug, Clone, PartialEq)]
pub enum AnalysisStatus {
    Success(Box<Analysis>),
    /// May be empty: a failure without errors is valid.
    Fail(Vec<ProviderError>),
    /// Only in status responses.
    InProgress,
}

/// Parses the body of a webhook delivery or a status response. With repeated keys the last one
/// wins. Strict first, since nearly all bodies are valid; repaired only when rejected.
pub fn parse(body: &[u8]) -> Result<Message, Unreadable> {
    let refused = match serde_json::from_slice(body) {
        Ok(value) => return message(&value, body, &Repaired::default()),
        Err(refused) => refused,
    };
    if body.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    let mended = repair::repair(body).ok_or(Unreadable::BeyondRepair)?;
    if !mended.is_changed() {
        return Err(unreadable(body, &mended, &refused));
    }
    let text = mended.text.as_bytes();
    match serde_json::from_str(&mended.text) {
        Ok(value) => message(&value, text, &mended),
        Err(refused) => Err(unreadable(text, &mended, &refused)),
    }
}

/// `text`: what `value` was parsed from.
fn message(value: &Tree<'_>, text: &[u8], repaired: &Repaired) -> Result<Message, Unreadable> {
    let Tree::Object(top) = value else { return Err(Unreadable::NotAnObject) };
    let status = match top.get("status") {
        None | Some(Tree::Null) => return Err(Unreadable::StatusMissing),
        Some(status) => status.as_str().unwrap_or_default(),
    };
    let response = top.get("response").unwrap_or(&Tree::Null);
    let mut walk = DriftWalk::default();
    walk.envelope(top);
    let analysis_status = match status {
        "Success" => match response {
            Tree::Object(members) => {
                walk.result(members);
                AnalysisStatus::Success(Box::new(analysis(members, document(text)?, repaired)))
            }
            Tree::Null => return Err(Unreadable::ResponseMissing),
            _ => return Err(Unreadable::ResponseNotAnObject),
        },
        "Fail" => {
            walk.failure(response);
            AnalysisStatus::Fail(ProviderError::list(response))
        }
        "InProgress" => AnalysisStatus::InProgress,
        _ => return Err(Unreadable::StatusUnknown),
    };
    Ok(Message {
        provider_job_id: job_id(top),
        creation_time: time(top, "creationTime"),
        completion_time: time(top, "completionTime"),
        expiration_time: time(top, "expirationTime"),
        analysis_status,
        drift: walk.finish(),
    })
}

fn unreadable(body: &[u8], mended: &Repaired, refused: &serde_json::Error) -> Unreadable {
    if mended.depth >= TOO_DEEP {
        return Unreadable::TooDeep;
    }
    if refused.is_eof() {
        return Unreadable::Truncated;
    }
    // `serde_json` counts lines and columns from 1.
    let lines_before = refused.line().saturating_sub(1);
    let line: usize =
        body.split_inclusive(|byte| *byte == b'\n').take(lines_before).map(<[u8]>::len).sum();
    Unreadable::NotJson { at: (line + refused.column().saturating_sub(1)).min(body.len()) }
}

fn job_id(top: &Members<'_>) -> Option<String> {
    match top.get("jobId")? {
        Tree::String(id) if !id.is_empty() && !id.contains('\0') => Some(id.to_string()),
        Tree::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn time(top: &Members<'_>, name: &str) -> Option<DateTime<Utc>> {
    let text = top.get(name)?.as_str()?;
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| time.to_utc())
}

/// The result object as text. `text` is valid JSON: it has been parsed.
fn document(text: &[u8]) -> Result<Vec<Member>, Unreadable> {
    let sound = std::str::from_utf8(text).ok().and_then(|text| raw::response(text).ok());
    sound.ok_or(Unreadable::NotJson { at: 0 })
}

/// Members that are not lists of known insights, such as `trackerInsights`, stay in the document
/// without an issue: there are no rows they could have become.
fn analysis(members: &Members<'_>, document: Vec<Member>, repaired: &Repaired) -> Analysis {
    let mut issues = Issues::starting_with(repaired.issues());
    let top = Element::root(members);
    let utterances = utterances::read(&top, &mut issues);
    let speakers = speakers::read(&top, &mut issues);
    let conversation_insights = conversation_insights::read(&top, &mut issues);
    Analysis {
        document,
        utterances,
        speaker_count: speakers.count,
        speaker_insights: speakers.insights,
        questions: speakers.questions,
        conversation_insights,
        issues: issues.finish(),
    }
}
