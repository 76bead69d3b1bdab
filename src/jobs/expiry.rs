//! What becomes of jobs that are older than they, or a part of them, are kept.
//!
//! A job is due (`aftercall.is_due`) once it ended before a cutoff and no webhook token of it is valid any more.
//! Statements that lock rows skip those that others have locked; the next run gets them.
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgTransaction};

use super::{Change, JobId};

/// Due jobs, locked: up to `limit`, by id, from `after` to `before`, both excluded. With `only_results`, only those
/// whose result has not expired.
pub async fn lock_due(
    tx: &mut PgTransaction<'_>,
    cutoff: DateTime<Utc>,
    (after, before): (JobId, JobId),
    only_results: bool,
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    sqlx::query_scalar!(
        r#"
        select id as "id: JobId" from aftercall.jobs
        where id > $2 and id < least($3, aftercall.uuid_floor($1))
          and aftercall.is_due(finished_at, deadline_at, $1)
          and (not $4 or state = 'completed' and result_expired_at is null)
        order by id limit $5
        for update skip locked
        "#,
        cutoff,
        after as JobId,
        before as JobId,
        only_results,
        limit,
    )
    .fetch_all(&mut **tx)
    .await
}

/// Marks the results of these completed jobs as expired. Jobs that ended before `timeline_cutoff` get no event, as their
/// timelines are deleted too.
pub async fn expire_results(
    tx: &mut Change<'_>,
    ids: &[JobId],
    timeline_cutoff: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    tx.changes_results(ids);
    sqlx::query!(
        r#"
        with job as (
            update aftercall.jobs set result_expired_at = now(), version = version + 1
            where id = any($1) and state = 'completed' and result_expired_at is null
            returning id, version, finished_at
        )
        insert into aftercall.job_events (job_id, seq, kind)
        select id, version, 'result_expired' from job
        where $2::timestamptz is null or finished_at >= $2
        "#,
        ids as &[JobId],
        timeline_cutoff,
    )
    .execute(&mut ***tx)
    .await?;
    Ok(())
}

/// Deletes these jobs with their attempts, recordings and tags, and thereby what their tokens and ids mean. Returns how
/// many rows of each table. What is stored about them in partitions is left.
pub async fn remove(tx: &mut Change<'_>, ids: &[JobId]) -> sqlx::Result<[(&'static str, i64); 4]> {
    tx.changes_results(ids);
    let row = sqlx::query!(
        r#"
        with tag as (
            delete from aftercall.job_tags t
            using (select caller_id, unnest(tags) as tag, id from aftercall.jobs where id = any($1)) j
            where t.caller_id = j.caller_id and t.tag = j.tag and t.job_id = j.id
            returning 1
        ), attempt as (
            delete from aftercall.attempts where job_id = any($1) returning 1
        ), content as (
            delete from aftercall.job_contents where job_id = any($1) returning 1
        ), job as (
            delete from aftercall.jobs where id = any($1) returning 1
        )
        select (select count(*) from job) as "jobs!", (select count(*) from attempt) as "attempts!",
            (select count(*) from content) as "contents!", (select count(*) from tag) as "tags!"
        "#,
        ids as &[JobId],
    )
    .fetch_one(&mut ***tx)
    .await?;
    Ok([
        ("jobs", row.jobs),
        ("attempts", row.attempts),
        ("job_contents", row.contents),
        ("job_tags", row.tags),
    ])
}

/// Deletes the timelines of these jobs; returns how many events they had.
pub async fn remove_timelines(tx: &mut PgTransaction<'_>, ids: &[JobId]) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("delete from aftercall.job_events where job_id = any($1)", ids as &[JobId]);
    Ok(done.execute(&mut **tx).await?.rows_affected())
}

/// Jobs with a timeline that ended before `cutoff`; see [`lock_due`].
pub async fn due_timelines(
    db: impl PgExecutor<'_>,
    cutoff: DateTime<Utc>,
    (after, before): (JobId, JobId),
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    sqlx::query_scalar!(
        r#"
        select distinct e.job_id as "job_id: JobId"
        from aftercall.job_events e join aftercall.jobs j on j.id = e.job_id
        where e.job_id > $2 and e.job_id < least($3, aftercall.uuid_floor($1))
          and aftercall.is_due(j.finished_at, j.deadline_at, $1)
        order by 1 limit $4
        "#,
        cutoff,
        after as JobId,
        before as JobId,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Jobs that ended before `cutoff` and still have an uploaded recording, locked, so that none is retried meanwhile. Few
/// jobs have one: only unfinished ones and those that failed or timed out.
pub async fn lock_due_contents(
    tx: &mut PgTransaction<'_>,
    cutoff: DateTime<Utc>,
    after: JobId,
    limit: i64,
) -> sqlx::Result<Vec<JobId>> {
    sqlx::query_scalar!(
        r#"
        select j.id as "id: JobId"
        from aftercall.job_contents c join aftercall.jobs j on j.id = c.job_id
        where c.job_id > $2 and j.finished_at < $1
        order by c.job_id limit $3
        for update of j skip locked
        "#,
        cutoff,
        after as JobId,
        limit,
    )
    .fetch_all(&mut **tx)
    .await
}

/// Deletes the uploaded recordings of these jobs; returns their number.
pub async fn remove_contents(tx: &mut PgTransaction<'_>, ids: &[JobId]) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("delete from aftercall.job_contents where job_id = any($1)", ids as &[JobId]);
    Ok(done.execute(&mut **tx).await?.rows_affected())
}

/// The jobs among these whose recording can still be sent: it is at a URL, or was uploaded, and neither was deleted since.
/// Exact in a transaction that has locked the jobs; nobody else can delete a recording until that ends.
pub async fn with_recording(
    tx: &mut PgTransaction<'_>,
    ids: &[JobId],
) -> sqlx::Result<HashSet<JobId>> {
    let ids = sqlx::query_scalar!(
        r#"
        select j.id as "id: JobId" from aftercall.jobs j
        where j.id = any($1) and (
            j.request ->> 'contentUri' is not null and j.content_uri_sealed is distinct from ''
            or exists (select from aftercall.job_contents c where c.job_id = j.id)
            or exists (select from aftercall.media m
                where m.id = j.media_id and m.stored_at is not null and m.removed_at is null
                for share))
        "#,
        ids as &[JobId],
    );
    Ok(ids.fetch_all(&mut **tx).await?.into_iter().collect())
}

/// How many rows of each table would be deleted with the jobs that ended before `jobs`, and how many recordings with
/// those that ended before `contents`. `None` deletes nothing.
pub async fn count_due(
    db: impl PgExecutor<'_>,
    jobs: Option<DateTime<Utc>>,
    contents: Option<DateTime<Utc>>,
) -> sqlx::Result<[(&'static str, i64); 4]> {
    let row = sqlx::query!(
        r#"
        with due as materialized (
            select id, tags from aftercall.jobs
            where id < aftercall.uuid_floor($1) and aftercall.is_due(finished_at, deadline_at, $1)
        )
        select (select count(*) from due) as "jobs!",
            (select count(*) from aftercall.attempts a join due on due.id = a.job_id) as "attempts!",
            (select count(*) from aftercall.job_contents c join aftercall.jobs j on j.id = c.job_id
                where j.finished_at < $2 or aftercall.is_due(j.finished_at, j.deadline_at, $1)
            ) as "contents!",
            (select count(distinct (due.id, tag)) from due cross join lateral unnest(due.tags) tag
            ) as "tags!"
        "#,
        jobs,
        contents,
    )
    .fetch_one(db)
    .await?;
    Ok([
        ("jobs", row.jobs),
        ("attempts", row.attempts),
        ("job_contents", row.contents),
        ("job_tags", row.tags),
    ])
}

/// For how many seconds the oldest due job has been due, for an age in seconds.
pub async fn overdue(db: impl PgExecutor<'_>, age: f64) -> sqlx::Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"
        select extract(epoch from now() - greatest(finished_at + make_interval(secs => $1),
            deadline_at + interval '8 days'))::float8 as "seconds!"
        from aftercall.jobs
        where id < aftercall.uuid_floor(now() - make_interval(secs => $1))
          and aftercall.is_due(finished_at, deadline_at, now() - make_interval(secs => $1))
        order by id limit 1
        "#,
        age,
    )
    .fetch_optional(db)
    .await
}

/// The same for uploaded recordings.
pub async fn contents_overdue(db: impl PgExecutor<'_>, age: f64) -> sqlx::Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"
        select extract(epoch from now() - min(j.finished_at) - make_interval(secs => $1))::float8
        from aftercall.job_contents c join aftercall.jobs j on j.id = c.job_id
        where j.finished_at < now() - make_interval(secs => $1)
        "#,
        age,
    )
    .fetch_one(db)
    .await
}
