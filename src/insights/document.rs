//! Builds the result as a single document, as it is served.
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Prepared;
use crate::{db::column, jobs::JobId};

/// Where a result came from; part of its document.
#[derive(Debug, Clone, Copy)]
pub struct DocumentOrigin<'a> {
    pub job_id: JobId,
    pub provider_job_id: Option<&'a str>,
    pub parser_version: i32,
}

/// The columns of the table of documents.
#[derive(Default)]
pub struct Documents {
    pub jobs: Vec<JobId>,
    pub texts: Vec<String>,
    pub shas: Vec<Vec<u8>>,
    pub parser_versions: Vec<i32>,
    pub are_partial: Vec<bool>,
    pub speaker_counts: Vec<Option<i32>>,
}

impl Documents {
    pub fn of(found: &[(DocumentOrigin<'_>, &Prepared)]) -> Self {
        let texts = column(found, |(origin, prepared)| document(*origin, prepared));
        Self {
            jobs: column(found, |(origin, _)| origin.job_id),
            shas: column(&texts, |text| Sha256::digest(text).to_vec()),
            texts,
            parser_versions: column(found, |(origin, _)| origin.parser_version),
            are_partial: column(found, |(_, prepared)| !prepared.analysis.issues.is_empty()),
            speaker_counts: column(found, |(_, prepared)| prepared.analysis.speaker_count),
        }
    }
}

/// Aftercall's own members, followed by the provider's.
fn document(origin: DocumentOrigin<'_>, prepared: &Prepared) -> String {
    let issues = &prepared.analysis.issues;
    let mut document = json!({
        "jobId": origin.job_id,
        "providerJobId": origin.provider_job_id,
        "parserVersion": origin.parser_version,
        "partial": !issues.is_empty(),
        "issues": issues,
    })
    .to_string();
    document.pop();
    document.reserve_exact(prepared.members.len() + 1);
    document.push_str(&prepared.members);
    document.push('}');
    document
}
