//! The sandbox's ledger as evidence: what it accepted, computed and sent, and which responses it
//! got.
use std::{collections::BTreeMap, fs, path::Path};

use aftercall::jobs::Token;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Ledger {
    pub acceptances: Vec<Acceptance>,
}

/// A submission that the sandbox accepted, whether or not its response arrived.
#[derive(Debug, Clone)]
pub struct Acceptance {
    pub provider_job_id: String,
    /// From the token in its webhook URL: our job, and the stored hash of the attempt's secret.
    pub job_id: Uuid,
    pub token_sha: Vec<u8>,
    pub faults: Vec<String>,
    /// `Success` or `Fail`, and the response as computed.
    pub finished: Option<(String, Value)>,
    pub sent: Vec<Sent>,
    pub is_settled: bool,
}

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub number: u64,
    /// SHA-256 of the body.
    pub sha: Vec<u8>,
    /// Status; `None` when no response was recorded.
    pub answer: Option<u64>,
    /// When the response was recorded.
    pub answered_at: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Reads the complete lines.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut acceptances: BTreeMap<String, Acceptance> = BTreeMap::new();
        for line in whole.lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            let id = entry["jobId"].as_str().unwrap();
            if entry["kind"] == "accepted" {
                acceptances.insert(id.to_owned(), Acceptance::read(id, &entry));
            } else {
                acceptances.get_mut(id).unwrap().note(&entry);
            }
        }
        Self { acceptances: acceptances.into_values().collect() }
    }

    /// Whether the sandbox will send nothing more.
    pub fn is_settled(&self) -> bool {
        self.acceptances.iter().all(Acceptance::is_over)
    }

    pub fn of_job(&self, id: Uuid) -> impl Iterator<Item = &Acceptance> {
        self.acceptances.iter().filter(move |acceptance| acceptance.job_id == id)
    }

    /// Whether nothing more will be sent for the job.
    pub fn is_silent_about(&self, id: Uuid) -> bool {
        self.of_job(id).all(Acceptance::is_over)
    }
}

impl Acceptance {
    fn read(id: &str, entry: &Value) -> Self {
        let webhook = Url::parse(entry["webhook"].as_str().unwrap()).unwrap();
        let token = Token::parse(webhook.path_segments().unwrap().next_back().unwrap()).unwrap();
        let faults = entry["faults"].as_array().unwrap();
        Self {
            provider_job_id: id.to_owned(),
            job_id: token.job_id.uuid(),
            token_sha: token.sha().to_vec(),
            faults: faults.iter().map(|fault| fault.as_str().unwrap().to_owned()).collect(),
            finished: None,
            sent: Vec::new(),
            is_settled: false,
        }
    }

    fn note(&mut self, entry: &Value) {
        match entry["kind"].as_str().unwrap() {
            "finished" => {
                let finished = &entry["finished"];
                let status = finished["status"].as_str().unwrap().to_owned();
                self.finished = Some((status, finished["response"].clone()));
            }
            "sending" => {
                let sending = &entry["sending"];
                let number = sending["number"].as_u64().unwrap();
                let sha = BASE64_STANDARD.decode(sending["sha256"].as_str().unwrap()).unwrap();
                self.sent.push(Sent { number, sha, answer: None, answered_at: None });
            }
            "delivery" => {
                let delivery = &entry["delivery"];
                let sent = self.sent.iter_mut().rfind(|sent| delivery["number"] == sent.number);
                let sent = sent.unwrap();
                sent.answer = delivery["answer"].as_u64();
                sent.answered_at = delivery["at"].as_str().map(|at| at.parse().unwrap());
                self.is_settled |= delivery["settled"].as_bool().unwrap();
            }
            other => panic!("what is a {other}?"),
        }
    }

    pub fn has(&self, fault: &str) -> bool {
        self.faults.iter().any(|name| name == fault)
    }

    /// Whether the delivery with this number is truncated.
    pub fn is_truncated(&self, sent: &Sent) -> bool {
        self.has("truncated") && sent.number == 1
    }

    /// Acknowledged deliveries of the whole result.
    fn delivered(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.answer == Some(200) && !self.is_truncated(sent))
    }

    pub fn is_delivered(&self) -> bool {
        self.delivered().next().is_some()
    }

    pub fn is_told_before(&self, moment: DateTime<Utc>) -> bool {
        self.delivered().any(|sent| sent.answered_at.is_some_and(|at| at < moment))
    }

    fn is_over(&self) -> bool {
        if self.has("lost") {
            return self.finished.is_some();
        }
        let acknowledged = self.sent.iter().filter(|sent| sent.answer == Some(200)).count();
        let repeats = self.sent.iter().skip_while(|sent| sent.answer != Some(200)).count();
        self.is_settled && (acknowledged == 0 || !self.has("duplicate") || repeats == 2)
    }
}
