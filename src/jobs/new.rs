//! Creates jobs.
use std::time::Duration;

use serde_json::{Map, Value, value::RawValue};
use sqlx::{PgConnection, PgPool, types::Json};
use uuid::Uuid;

use super::{
    Announcer, Change, Channel, Job, JobError, JobId, NotifyChoice, RecordingSha, State, recording,
};
use crate::{callers::CallerId, metrics::Tally, seal::Seal};

#[derive(Debug)]
pub struct NewJob<'a> {
    pub id: JobId,
    pub caller_id: CallerId,
    /// The caller's name, for the metrics.
    pub caller: &'a str,
    pub external_id: Option<&'a str>,
    pub tags: &'a [String],
    /// A JSON object as text: Postgres preserves numbers that Rust's types cannot hold.
    pub metadata: &'a str,
    /// The request for the provider, without `content`.
    pub request: &'a Map<String, Value>,
    /// The recording itself, in base64.
    pub content: Option<&'a str>,
    /// The uploaded recording, which the transaction has locked with `media::lock_for_job`.
    pub media_id: Option<Uuid>,
    /// Identifies the recording, for submissions that ask for the job of the same one.
    pub recording_sha: Option<RecordingSha>,
    pub deadline: Duration,
    /// A W3C `traceparent` of version 00.
    pub trace_context: Option<&'a str>,
    /// `None`: all endpoints of the caller that want an event are told.
    pub notify: Option<&'a JobNotify>,
}

/// Who is told about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobNotify {
    /// The job, to which the sealed URL is bound.
    pub job_id: JobId,
    /// A JSON object as text, in the members that `aftercall.notify_of_events` reads.
    pub json: String,
    /// The job's own URL, sealed.
    pub url: Option<Vec<u8>>,
}

/// Inserts the job as `queued` and due immediately.
pub async fn enqueue(tx: &mut Change<'_>, seal: &Seal, new: &NewJob<'_>) -> sqlx::Result<Job> {
    let job = insert(tx, seal, new).await?;
    tx.tally().created(new.caller);
    tx.queues();
    Ok(job)
}

/// The same without a surrounding transaction.
pub async fn enqueue_alone(
    db: &PgPool,
    announcer: &Announcer,
    seal: &Seal,
    new: &NewJob<'_>,
) -> sqlx::Result<Job> {
    let job = insert(&mut *db.acquire().await?, seal, new).await?;
    let mut tally = Tally::default();
    tally.created(new.caller);
    announcer.metrics().add(tally);
    announcer.tell_queued();
    Ok(job)
}

/// One statement, so that it can commit by itself.
async fn insert(db: &mut PgConnection, seal: &Seal, new: &NewJob<'_>) -> sqlx::Result<Job> {
    let (request, content_uri_sealed) = recording::sealed(seal, new.id, new.request);
    sqlx::query_as!(
        Job,
        r#"
        with job as (
            insert into aftercall.jobs
                (id, caller_id, external_id, tags, metadata, request, due_at, deadline_at,
                trace_context, media_id, recording_sha, content_uri_sealed, notify, notify_url)
            values ($1, $2, $3, $4, $5::text::json, $6::text::json, now(),
                now() + make_interval(secs => $7), $9, $10, $11, $12, $13::text::json, $14)
            returning *
        ), event as (
            insert into aftercall.job_events (job_id, seq, kind)
            select id, version, 'queued' from job
        ), content as (
            insert into aftercall.job_contents (job_id, content)
            select id, $8::text from job where $8 is not null
        )
        select id, external_id, tags, metadata as "metadata: Json<Box<RawValue>>",
            request as "request: Json<Box<RawValue>>", media_id, state as "state: State", version,
            completed_via as "completed_via: Channel", error as "error: Json<JobError>",
            created_at, deadline_at, submitted_at, finished_at, result_expired_at,
            notify as "notify: Json<NotifyChoice>", 0::bigint as "attempts!"
        from job
        "#,
        new.id as JobId,
        new.caller_id as CallerId,
        new.external_id,
        new.tags,
        new.metadata,
        // As text, so that Postgres keeps the caller's order of members: the driver would send jsonb.
        serde_json::to_string(&*request).map_err(|error| sqlx::Error::Encode(error.into()))?,
        new.deadline.as_secs_f64(),
        new.content,
        new.trace_context,
        new.media_id,
        new.recording_sha.as_ref().map(|sha| &sha[..]),
        content_uri_sealed,
        new.notify.map(|it| it.json.as_str()),
        new.notify.and_then(|it| it.url.as_deref()),
    )
    .fetch_one(db)
    .await
}
