//! Creates jobs.
use std::{collections::HashMap, slice, time::Duration};

use serde_json::{Map, Value, value::RawValue};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    Announcer, Change, Channel, Job, JobError, JobId, NotifyChoice, RecordingSha, State, recording,
};
use crate::{
    callers::CallerId,
    db::{Lists, column},
    metrics::Tally,
    seal::Seal,
};

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
    let jobs = enqueue_all(tx, seal, slice::from_ref(new)).await?;
    jobs.into_iter().next().ok_or(sqlx::Error::RowNotFound)
}

/// The same for many; returned in their order.
pub async fn enqueue_all(
    tx: &mut Change<'_>,
    seal: &Seal,
    new: &[NewJob<'_>],
) -> sqlx::Result<Vec<Job>> {
    let jobs = insert(&mut ***tx, seal, new).await?;
    for job in new {
        tx.tally().created(job.caller);
    }
    tx.queues();
    Ok(jobs)
}

/// The same without a surrounding transaction: all of them are stored, or none.
pub async fn enqueue_alone(
    db: impl PgExecutor<'_>,
    announcer: &Announcer,
    seal: &Seal,
    new: &[NewJob<'_>],
) -> sqlx::Result<Vec<Job>> {
    let jobs = insert(db, seal, new).await?;
    let mut tally = Tally::default();
    for job in new {
        tally.created(job.caller);
    }
    announcer.metrics().add(tally);
    announcer.tell_queued();
    Ok(jobs)
}

/// What is stored of the request for the provider.
struct StoredRequest {
    /// As text, so that Postgres keeps the caller's order of members: the driver would send jsonb.
    text: String,
    uri_sealed: Option<Vec<u8>>,
}

impl StoredRequest {
    fn of(seal: &Seal, new: &NewJob<'_>) -> sqlx::Result<Self> {
        let (request, uri_sealed) = recording::sealed(seal, new.id, new.request);
        let text = serde_json::to_string(&*request);
        Ok(Self { text: text.map_err(|error| sqlx::Error::Encode(error.into()))?, uri_sealed })
    }
}

/// One statement, so that it can commit by itself. Returns the jobs in their order.
async fn insert(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    new: &[NewJob<'_>],
) -> sqlx::Result<Vec<Job>> {
    if let [one] = new {
        return Ok(vec![insert_one(db, seal, one).await?]);
    }
    let rows = insert_many(db, seal, new).await?;
    let mut by_id: HashMap<JobId, Job> = rows.into_iter().map(|job| (job.id, job)).collect();
    new.iter().map(|it| by_id.remove(&it.id).ok_or(sqlx::Error::RowNotFound)).collect()
}

/// A recording in it is not copied into an array, and one row costs less without.
async fn insert_one(db: impl PgExecutor<'_>, seal: &Seal, new: &NewJob<'_>) -> sqlx::Result<Job> {
    let request = StoredRequest::of(seal, new)?;
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
        request.text,
        new.deadline.as_secs_f64(),
        new.content,
        new.trace_context,
        new.media_id,
        new.recording_sha.as_ref().map(|sha| &sha[..]),
        request.uri_sealed,
        new.notify.map(|it| it.json.as_str()),
        new.notify.and_then(|it| it.url.as_deref()),
    )
    .fetch_one(db)
    .await
}

/// The same for many; the rows come in any order.
async fn insert_many(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    new: &[NewJob<'_>],
) -> sqlx::Result<Vec<Job>> {
    let requests =
        new.iter().map(|it| StoredRequest::of(seal, it)).collect::<Result<Vec<_>, _>>()?;
    let tags = Lists::of(new.iter().map(|it| it.tags));
    let with_content: Vec<_> = new.iter().filter(|it| it.content.is_some()).collect();
    sqlx::query_as!(
        Job,
        r#"
        with job as (
            insert into aftercall.jobs
                (id, caller_id, external_id, tags, metadata, request, due_at, deadline_at,
                trace_context, media_id, recording_sha, content_uri_sealed, notify, notify_url)
            select id, caller_id, external_id, ($15::text[])[first_tag:last_tag], metadata::json,
                request::json, now(), now() + make_interval(secs => deadline),
                trace_context, media_id, recording_sha, content_uri_sealed, notify::json, notify_url
            from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::text[], $7::text[],
                    $8::float8[], $9::text[], $10::uuid[], $11::bytea[], $12::bytea[], $13::text[],
                    $14::bytea[])
                as given (id, caller_id, external_id, first_tag, last_tag, metadata, request, deadline,
                    trace_context, media_id, recording_sha, content_uri_sealed, notify, notify_url)
            returning *
        ), event as (
            insert into aftercall.job_events (job_id, seq, kind)
            select id, version, 'queued' from job
        ), content as (
            insert into aftercall.job_contents (job_id, content)
            select * from unnest($16::uuid[], $17::text[])
        )
        select id, external_id, tags, metadata as "metadata: Json<Box<RawValue>>",
            request as "request: Json<Box<RawValue>>", media_id, state as "state: State", version,
            completed_via as "completed_via: Channel", error as "error: Json<JobError>",
            created_at, deadline_at, submitted_at, finished_at, result_expired_at,
            notify as "notify: Json<NotifyChoice>", 0::bigint as "attempts!"
        from job
        "#,
        &column(new, |it| it.id) as &[JobId],
        &column(new, |it| it.caller_id) as &[CallerId],
        &column(new, |it| it.external_id) as &[Option<&str>],
        &tags.first,
        &tags.last,
        &column(new, |it| it.metadata) as &[&str],
        &column(&requests, |it| it.text.as_str()) as &[&str],
        &column(new, |it| it.deadline.as_secs_f64()),
        &column(new, |it| it.trace_context) as &[Option<&str>],
        &column(new, |it| it.media_id) as &[Option<Uuid>],
        &column(new, |it| it.recording_sha.as_ref().map(|sha| &sha[..])) as &[Option<&[u8]>],
        &column(&requests, |it| it.uri_sealed.as_deref()) as &[Option<&[u8]>],
        &column(new, |it| it.notify.map(|to| to.json.as_str())) as &[Option<&str>],
        &column(new, |it| it.notify.and_then(|to| to.url.as_deref())) as &[Option<&[u8]>],
        &column(&tags.members, |tag| tag.as_str()) as &[&str],
        &column(&with_content, |it| it.id) as &[JobId],
        &column(&with_content, |it| it.content) as &[Option<&str>],
    )
    .fetch_all(db)
    .await
}
