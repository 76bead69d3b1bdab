//! The same jobs in Postgres, driven by the functions that the stages call.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use aftercall::{
    deliveries::{Delivery, Outcome, Quota},
    jobs::{
        self, Announcer, Change, Channel, Claimed, ErrorClass, JobError, JobId, NewJob, PollTarget,
        RetryReason, Token,
    },
    outcome::{self, Arrival, Interpretation},
    provider,
};
use bytes::Bytes;
use serde_json::Map;
use sha2::{Digest as _, Sha256};
use sqlx::{PgPool, types::Json};
use uuid::Uuid;

use super::steps::{
    ATTEMPT_DELIVERIES, Answer, BACKOFF, DEADLINE, LEASE, MAX_ATTEMPTS, POLL_AFTER, Report,
    UNCONFIRMED_WAIT, minutes, provider_job_id,
};
use crate::support::app::seal;

/// Everything in the rows of one job. Times are in whole minutes from now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Seen {
    pub state: String,
    /// Equals the number of events, which are numbered without gaps.
    pub version: i64,
    pub failures: u32,
    pub is_leased: bool,
    /// The error's class.
    pub error: Option<String>,
    pub has_content: bool,
    pub via: Option<String>,
    /// The text of the only utterance, equal in document and row.
    pub words: Option<String>,
    pub due_in: Option<i64>,
    pub deadline_in: i64,
    pub attempts: Vec<SeenAttempt>,
    pub deliveries: Vec<String>,
    /// Each with the detail that distinguishes it from others of its kind.
    pub events: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct SeenAttempt {
    pub outcome: String,
    pub provider_job_id: Option<String>,
    pub age: i64,
    pub surplus: u32,
}

const LOOK: &str = "
    select json_build_object(
        'state', state, 'failures', failures, 'is_leased', lease_id is not null,
        'error', error->>'class', 'via', completed_via,
        'version', case when version = (select count(*) from aftercall.job_events where job_id = j.id)
            and version = (select max(seq) from aftercall.job_events where job_id = j.id)
            then version else -version end,
        'has_content', exists (select from aftercall.job_contents where job_id = j.id),
        'words', (select case when text = document::json #>> '{utteranceInsights,0,text}' then text end
            from aftercall.results left join aftercall.utterances using (job_id) where job_id = j.id),
        'due_in', round(extract(epoch from due_at - now()) / 60),
        'deadline_in', round(extract(epoch from deadline_at - now()) / 60),
        'attempts', coalesce((select json_agg(json_build_object('outcome', outcome,
                'provider_job_id', provider_job_id, 'surplus', surplus,
                'age', round(extract(epoch from now() - created_at) / 60)) order by number)
            from aftercall.attempts where job_id = j.id), '[]'),
        'deliveries', coalesce((select json_agg(outcome order by id)
            from aftercall.deliveries where job_id = j.id), '[]'),
        'events', (select json_agg(concat_ws(' ', kind, detail->>'because', detail->>'outcome',
                case when (detail->>'late')::bool then 'late' end) order by seq)
            from aftercall.job_events where job_id = j.id))
    from aftercall.jobs j order by id";

pub struct World {
    db: PgPool,
    announcer: Announcer,
    caller: Uuid,
    jobs: Vec<JobId>,
    /// The claim that each process holds, by job and attempt number.
    held: Mutex<BTreeMap<(usize, i32), Arc<Claimed>>>,
}

impl World {
    /// Replaces all jobs with new ones, some with content.
    pub async fn new(db: &PgPool, caller: Uuid, with_content: &[bool]) -> Self {
        sqlx::query("delete from aftercall.jobs").execute(db).await.unwrap();
        let mut world = Self {
            db: db.clone(),
            announcer: Announcer::default(),
            caller,
            jobs: Vec::new(),
            held: Mutex::default(),
        };
        for has_content in with_content {
            let members = Map::new();
            let new = NewJob {
                id: JobId::generate(),
                caller_id: caller.into(),
                caller: "app",
                external_id: None,
                tags: &[],
                metadata: "{}",
                request: &members,
                content: has_content.then_some("UklGRg=="),
                media_id: None,
                recording_sha: None,
                deadline: minutes(DEADLINE),
                trace_context: None,
                notify: None,
            };
            let stored = jobs::enqueue_alone(db, &world.announcer, &seal(), &[new]).await.unwrap();
            world.jobs.push(stored[0].id);
        }
        world
    }

    pub async fn look(&self) -> Vec<Seen> {
        let rows: Vec<Json<Seen>> = sqlx::query_scalar(LOOK).fetch_all(&self.db).await.unwrap();
        rows.into_iter().map(|row| row.0).collect()
    }

    async fn begin(&self) -> Change<'static> {
        self.announcer.begin(&self.db).await.unwrap()
    }

    fn number(&self, id: JobId) -> usize {
        self.jobs.iter().position(|job| *job == id).unwrap()
    }

    /// Claims jobs; returns job and attempt of each submission.
    pub async fn claim(&self, most: usize) -> Vec<(usize, i32)> {
        let mut tx = self.begin().await;
        let claimed = jobs::claim(&mut tx, &seal(), "default", most, minutes(LEASE)).await.unwrap();
        tx.commit().await.unwrap();
        let mut begun = Vec::new();
        for claimed in claimed {
            let key = (self.number(claimed.job_id), claimed.attempt);
            begun.push(key);
            let earlier = self.held.lock().unwrap().insert(key, Arc::new(claimed));
            assert!(earlier.is_none(), "an attempt was made twice: {key:?}");
        }
        begun
    }

    /// All attempts ever made.
    pub fn attempts(&self) -> Vec<(usize, i32)> {
        self.held.lock().unwrap().keys().copied().collect()
    }

    fn held(&self, attempt: (usize, i32)) -> Arc<Claimed> {
        self.held.lock().unwrap()[&attempt].clone()
    }

    /// Records the outcome as the holder of this attempt would.
    pub async fn answer(&self, (job, attempt): (usize, i32), answer: Answer) -> bool {
        let claimed = &self.held((job, attempt));
        let is_refused = matches!(answer, Answer::Refused);
        let class = if is_refused { ErrorClass::Validation } else { ErrorClass::Upstream };
        let error = JobError::new(class, "as the test wants it");
        let mut tx = self.begin().await;
        let wait = minutes(UNCONFIRMED_WAIT);
        let applied = match answer {
            Answer::Accepted { with_id } => {
                let id = with_id.then(|| provider_job_id(job, attempt));
                let poll_after = minutes(POLL_AFTER);
                jobs::mark_submitted(&mut tx, claimed, id.as_deref(), poll_after).await
            }
            Answer::Refused => jobs::refuse(&mut tx, claimed, None, &error).await,
            Answer::GivenUp => {
                jobs::refuse(&mut tx, claimed, Some(RetryReason::Broken), &error).await
            }
            Answer::Released(retry_reason) => {
                jobs::release(&mut tx, claimed, retry_reason, minutes(BACKOFF), &error).await
            }
            Answer::Unknown => jobs::mark_unknown(&mut tx, claimed, wait, &error).await,
        };
        tx.commit().await.unwrap();
        applied.unwrap()
    }

    /// Delivers to the webhooks of these attempts in one transaction.
    pub async fn deliver(&self, sent: &[((usize, i32), Report)]) -> Vec<Outcome> {
        let held: Vec<_> = sent.iter().map(|(key, _)| self.held(*key)).collect();
        let tokens: Vec<&Token> = held.iter().map(|claimed| &claimed.token).collect();
        let attempts = jobs::matching_attempts(&self.db, &tokens).await.unwrap();
        let mut arrivals = Vec::new();
        for ((key, report), attempt) in sent.iter().zip(attempts) {
            let attempt = attempt.unwrap();
            assert_eq!(attempt.number, key.1);
            let expected = attempt.provider_job_id;
            let arrival = self.arrival(*key, *report, Channel::Webhook, expected);
            arrivals.push(arrival);
        }
        self.apply(&arrivals).await
    }

    /// Applies the provider's final report about a polled job.
    pub async fn tell(&self, target: &Target, report: Report) -> Outcome {
        let expected = Some(target.provider_job_id.clone());
        let arrival = self.arrival(target.key(), report, Channel::Poll, expected);
        self.apply(&[arrival]).await[0]
    }

    fn arrival(
        &self,
        (job, attempt): (usize, i32),
        report: Report,
        via: Channel,
        expected: Option<String>,
    ) -> Arrival {
        let body = Bytes::from(report.body(&provider_job_id(job, attempt)));
        let reading = Interpretation::of(provider::parse(&body))
            .unwrap_or_else(|| Interpretation::Unreadable("in progress".to_owned()));
        let job_id = self.jobs[job];
        let body_sha = Sha256::digest(&body).into();
        let headers = Map::new();
        let arrived = tokio::time::Instant::now();
        let delivery =
            Delivery { job_id, attempt, via, headers, body, body_sha, arrived, replay_of: None };
        Arrival { delivery, expected, reading }
    }

    async fn apply(&self, arrivals: &[Arrival]) -> Vec<Outcome> {
        let mut tx = self.begin().await;
        let quota = Quota { deliveries: ATTEMPT_DELIVERIES, bytes: usize::MAX };
        let outcomes = outcome::apply(&mut tx, &seal(), arrivals, quota).await.unwrap();
        tx.commit().await.unwrap();
        outcomes.into_iter().map(Option::unwrap).collect()
    }

    pub async fn claim_poll(&self) -> Option<Target> {
        let mut tx = self.begin().await;
        let target = jobs::claim_poll(&mut tx, "default", minutes(POLL_AFTER)).await.unwrap();
        tx.commit().await.unwrap();
        let PollTarget { job_id, attempt, provider_job_id, .. } = target?;
        Some(Target { job: self.number(job_id), attempt, provider_job_id })
    }

    pub async fn lose_attempt(&self, target: &Target) -> bool {
        let Target { job, attempt, provider_job_id } = target.clone();
        let target = PollTarget {
            job_id: self.jobs[job],
            attempt,
            provider_job_id,
            account: "default".into(),
            trace_context: None,
        };
        jobs::lose_attempt(&self.db, &self.announcer, &target, MAX_ATTEMPTS).await.unwrap()
    }

    pub async fn abandon_leases(&self) -> u64 {
        jobs::abandon_leases(&self.db, &self.announcer, minutes(UNCONFIRMED_WAIT)).await.unwrap()
    }

    pub async fn requeue_unconfirmed(&self) -> u64 {
        jobs::requeue_unconfirmed(&self.db, &self.announcer, MAX_ATTEMPTS).await.unwrap()
    }

    pub async fn expire(&self) -> u64 {
        jobs::expire(&self.db, &self.announcer).await.unwrap()
    }

    pub async fn cancel(&self, job: usize) -> bool {
        let mut tx = self.begin().await;
        let done = jobs::cancel(&mut tx, self.caller.into(), &[self.jobs[job]]).await.unwrap();
        tx.commit().await.unwrap();
        !done.is_empty()
    }

    pub async fn retry(&self, job: usize) -> bool {
        let (mut tx, deadline) = (self.begin().await, minutes(DEADLINE));
        let done =
            jobs::retry(&mut tx, self.caller.into(), &[self.jobs[job]], deadline).await.unwrap();
        tx.commit().await.unwrap();
        !done.is_empty()
    }

    /// Ages every timestamp. Works job by job, so that it waits for at most one row lock.
    pub async fn pass(&self, minutes: i64) {
        for (job, statement) in self.jobs.iter().flat_map(|job| OLDER.map(|it| (job, it))) {
            sqlx::query(statement).bind(job).bind(minutes).execute(&self.db).await.unwrap();
        }
    }
}

const OLDER: [&str; 2] = [
    "update aftercall.jobs set due_at = due_at - $2 * interval '1 minute',
        deadline_at = deadline_at - $2 * interval '1 minute' where id = $1",
    "update aftercall.attempts set created_at = created_at - $2 * interval '1 minute'
        where job_id = $1",
];

/// A job that is being polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub job: usize,
    pub attempt: i32,
    pub provider_job_id: String,
}

impl Target {
    pub fn key(&self) -> (usize, i32) {
        (self.job, self.attempt)
    }
}
