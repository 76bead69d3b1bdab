//! Everything the database holds about jobs, in the form the checker needs.
use std::collections::BTreeMap;

use aftercall::seal::Place;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, prelude::FromRow};
use uuid::Uuid;

use crate::support::app::seal;

/// Result tables: what to read from each, and in which order.
pub const TABLES: [(&str, &str); 5] = [
    (
        "utterances",
        "select job_id, json_build_array(seq, start_seconds, end_seconds, text, confidence,
            speaker_id, emotion, emotion_confidence, word_timings)
         from aftercall.utterances order by job_id, seq",
    ),
    (
        "speakers",
        "select job_id, json_build_array(speaker_id, utterance_count, word_count,
            round(talk_seconds::numeric, 6))
         from aftercall.speakers order by job_id, speaker_id",
    ),
    (
        "speaker_insights",
        "select job_id, json_build_array(speaker_id, name, value)
         from aftercall.speaker_insights order by job_id, seq",
    ),
    (
        "questions",
        "select job_id, json_build_array(speaker_id, text, start_seconds, end_seconds)
         from aftercall.questions order by job_id, seq",
    ),
    (
        "conversation_insights",
        "select job_id, json_build_array(name, seq, value, start_seconds, end_seconds, confidence)
         from aftercall.conversation_insights order by job_id, name collate \"C\", seq",
    ),
];

#[derive(Debug, Default)]
pub struct Records {
    pub jobs: BTreeMap<Uuid, Job>,
    pub keys: Vec<Key>,
    /// Rows without a job: their table and the job id in them.
    pub orphans: Vec<(&'static str, Uuid)>,
}

#[derive(Debug, Default, FromRow)]
pub struct Job {
    pub state: String,
    pub version: i32,
    pub completed_via: Option<String>,
    pub external_id: Option<String>,
    pub error: Option<Value>,
    pub has_content: bool,
    #[sqlx(skip)]
    pub attempts: Vec<Attempt>,
    #[sqlx(skip)]
    pub events: Vec<Event>,
    #[sqlx(skip)]
    pub deliveries: Vec<Delivery>,
    #[sqlx(skip)]
    pub results: Vec<Stored>,
    /// Rows by table, in the order of [`TABLES`].
    #[sqlx(skip)]
    pub rows: [Vec<Value>; TABLES.len()],
}

#[derive(Debug, FromRow)]
pub struct Attempt {
    pub number: i32,
    pub token_sha: Vec<u8>,
    pub outcome: String,
    pub provider_job_id: Option<String>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, FromRow)]
pub struct Event {
    pub seq: i32,
    pub kind: String,
    pub detail: Value,
}

#[derive(Debug, FromRow)]
pub struct Delivery {
    pub attempt: i32,
    pub via: String,
    pub outcome: String,
    pub body_sha: Vec<u8>,
    pub has_body: bool,
    /// Whether the bytes match the recorded length and digest.
    pub is_intact: bool,
    /// Body of a status response.
    pub answer: Option<Vec<u8>>,
    id: Uuid,
    sealed: Option<Vec<u8>>,
}

impl Delivery {
    /// Opens a sealed body, which was not compared in SQL.
    fn open(&mut self) {
        let Some(sealed) = self.sealed.take() else { return };
        let opened = seal().open(Place { table: "deliveries", row: self.id }, &sealed);
        let opened = opened.map(|body| body.to_vec());
        self.is_intact =
            opened.as_ref().is_ok_and(|body| Sha256::digest(body)[..] == self.body_sha[..]);
        if self.via == "poll" {
            self.answer = opened.ok();
        }
    }
}

#[derive(Debug, FromRow)]
pub struct Stored {
    pub document: String,
    pub is_intact: bool,
}

#[derive(Debug, FromRow)]
pub struct Key {
    pub text: String,
    pub location: String,
    pub body: String,
}

/// A row and the job it belongs to.
#[derive(FromRow)]
struct Of<T> {
    job_id: Uuid,
    #[sqlx(flatten)]
    row: T,
}

impl Records {
    pub async fn load(db: &mut PgConnection) -> Self {
        let jobs = "select id as job_id, state, version, completed_via, external_id, error,
                exists (select from aftercall.job_contents c where c.job_id = j.id) as has_content
            from aftercall.jobs j";
        let jobs: Vec<Of<Job>> = sqlx::query_as(jobs).fetch_all(&mut *db).await.unwrap();
        let jobs = jobs.into_iter().map(|of| (of.job_id, of.row)).collect();
        let mut records = Self { jobs, ..Self::default() };
        records.load_history(db).await;
        records.load_results(db).await;
        let keys =
            "select key as text, location, body from aftercall.idempotency_keys order by key";
        records.keys = sqlx::query_as(keys).fetch_all(db).await.unwrap();
        records
    }

    async fn load_history(&mut self, db: &mut PgConnection) {
        let attempts = "select job_id, number, token_sha, outcome, provider_job_id, created_at
            from aftercall.attempts order by job_id, number";
        let attempts = sqlx::query_as(attempts).fetch_all(&mut *db).await.unwrap();
        self.give("attempts", attempts, |job| &mut job.attempts);
        let events = "select job_id, seq, kind, detail from aftercall.job_events
            order by job_id, seq";
        let events = sqlx::query_as(events).fetch_all(&mut *db).await.unwrap();
        self.give("job_events", events, |job| &mut job.events);
        let deliveries = "select job_id, attempt, via, outcome, body_sha,
                body is not null as has_body,
                coalesce(body_sealed or sha256(body) = body_sha and octet_length(body) = body_bytes, true)
                    as is_intact,
                case via when 'poll' then body end as answer, id,
                case when body_sealed then body end as sealed
            from aftercall.deliveries order by job_id, id";
        let mut deliveries: Vec<Of<Delivery>> =
            sqlx::query_as(deliveries).fetch_all(db).await.unwrap();
        for of in &mut deliveries {
            of.row.open();
        }
        self.give("deliveries", deliveries, |job| &mut job.deliveries);
    }

    async fn load_results(&mut self, db: &mut PgConnection) {
        let results = "select job_id, document,
                sha256(convert_to(document, 'UTF8')) = document_sha as is_intact
            from aftercall.results order by job_id";
        let results = sqlx::query_as(results).fetch_all(&mut *db).await.unwrap();
        self.give("results", results, |job| &mut job.results);
        for (index, (table, query)) in TABLES.into_iter().enumerate() {
            let rows: Vec<(Uuid, Value)> = sqlx::query_as(query).fetch_all(&mut *db).await.unwrap();
            let rows = rows.into_iter().map(|(job_id, row)| Of { job_id, row }).collect();
            self.give(table, rows, |job| &mut job.rows[index]);
        }
    }

    fn give<T>(
        &mut self,
        table: &'static str,
        rows: Vec<Of<T>>,
        place: impl Fn(&mut Job) -> &mut Vec<T>,
    ) {
        for Of { job_id, row } in rows {
            match self.jobs.get_mut(&job_id) {
                Some(job) => place(job).push(row),
                None => self.orphans.push((table, job_id)),
            }
        }
    }
}
