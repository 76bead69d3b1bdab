//! One job per Idempotency-Key, and it is the one the caller got.
use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{Violation, records::Records};
use crate::chaos::callers::Receipts;

pub fn check(records: &Records, found: &mut Vec<Violation>) {
    let mut keys_of: BTreeMap<Uuid, usize> = records.jobs.keys().map(|id| (*id, 0)).collect();
    let mut wrong = |job, what: String| found.push(Violation { job, what });
    for (key, id) in kept(records) {
        match id.and_then(|id| keys_of.get_mut(&id)) {
            Some(count) => *count += 1,
            None => wrong(id, format!("{key} is stored for a job that is not there")),
        }
    }
    for (id, count) in keys_of {
        if count != 1 {
            wrong(Some(id), format!("{count} keys name it"));
        }
    }
    let mut calls = BTreeMap::new();
    for (id, job) in &records.jobs {
        if let Some(other) = calls.insert(&job.external_id, *id) {
            wrong(Some(*id), format!("it is the same call as job {other}"));
        }
    }
}

pub fn compare(records: &Records, receipts: &Receipts) -> Vec<Violation> {
    let kept: BTreeMap<_, _> = kept(records).collect();
    let told = receipts.iter().map(|(key, id)| (key.as_str(), Some(*id))).collect();
    if kept == told {
        return Vec::new();
    }
    let other = kept.iter().filter(|(key, id)| told.get(*key) != Some(*id)).count();
    let lost = told.keys().filter(|key| !kept.contains_key(*key)).count();
    let what = format!("{lost} keys that were answered are not stored, {other} otherwise");
    vec![Violation { job: None, what }]
}

/// Keys and their jobs; no job when the stored response contradicts itself.
fn kept(records: &Records) -> impl Iterator<Item = (&str, Option<Uuid>)> {
    records.keys.iter().map(|key| {
        let body: Value = serde_json::from_str(&key.body).unwrap_or_default();
        let id: Option<Uuid> = body["id"].as_str().and_then(|id| id.parse().ok());
        let is_sound = id.is_some_and(|id| key.location == format!("/v1/jobs/{id}"));
        (key.text.as_str(), id.filter(|_| is_sound))
    })
}
