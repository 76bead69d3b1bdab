//! What becomes of recordings that are no longer needed: their rows are marked, their objects deleted, then their rows.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, PgTransaction};
use uuid::Uuid;

use super::{Store, StoreError, store::ObjectName};
use crate::callers::CallerId;

/// The result of a caller's request to remove a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    Done(RemovableMedia),
    NotFound,
    /// A job that is not final needs it.
    InUse,
}

/// A row whose object can be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovableMedia {
    pub id: Uuid,
    caller_id: CallerId,
    upload_id: Option<String>,
}

impl RemovableMedia {
    /// Deletes its object, or what there is of one.
    pub async fn delete_from(&self, store: &Store) -> Result<(), StoreError> {
        let name = ObjectName::of(self.caller_id, self.id);
        store.delete(&name, self.upload_id.as_deref()).await
    }
}

/// Marks a caller's recording as removed, unless a job needs it.
pub async fn remove(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    id: Uuid,
) -> sqlx::Result<Removal> {
    // Locked first: a new job locks the row too, and the next statement sees all jobs that came before.
    let locked = sqlx::query_scalar!(
        r#"
        select id from aftercall.media
        where id = $2 and caller_id = $1 and stored_at is not null and removed_at is null
        for update
        "#,
        caller_id as CallerId,
        id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    if locked.is_none() {
        return Ok(Removal::NotFound);
    }
    let marked = sqlx::query_scalar!(
        r#"
        update aftercall.media m set removed_at = now()
        where id = $1 and not exists (
            select from aftercall.jobs j where j.media_id = m.id and j.finished_at is null)
        returning id
        "#,
        id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(match marked {
        Some(_) => Removal::Done(RemovableMedia { id, caller_id, upload_id: None }),
        None => Removal::InUse,
    })
}

/// Marks up to `limit` recordings as removed: no job needs them, and the last that did ended before `cutoff`, as did
/// their upload. Returns how many.
pub async fn expire(
    tx: &mut PgTransaction<'_>,
    cutoff: DateTime<Utc>,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Uuid>> {
    let locked = sqlx::query_scalar!(
        r#"
        select id from aftercall.media m
        where id > $2 and created_at < $1 and stored_at is not null and removed_at is null
          and not exists (
            select from aftercall.jobs j
            where j.media_id = m.id and (j.finished_at is null or j.finished_at >= $1))
        order by id limit $3
        for update skip locked
        "#,
        cutoff,
        after,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    // Again, as a job may have come between the statement's snapshot and the lock.
    sqlx::query_scalar!(
        r#"
        with marked as (
            update aftercall.media m set removed_at = now()
            where id = any($1) and not exists (
                select from aftercall.jobs j
                where j.media_id = m.id and (j.finished_at is null or j.finished_at >= $2))
        )
        select id as "id!" from unnest($1::uuid[]) as id order by id
        "#,
        &locked,
        cutoff,
    )
    .fetch_all(&mut **tx)
    .await
}

/// Rows whose objects are to be deleted: those marked as removed, and uploads that were never finished, which this marks.
pub async fn due_for_removal(
    db: &PgPool,
    orphans_after: Duration,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<RemovableMedia>> {
    sqlx::query_as!(
        RemovableMedia,
        r#"
        update aftercall.media set removed_at = coalesce(removed_at, now())
        where id in (
            select id from aftercall.media
            where id > $2 and (removed_at is not null
                or stored_at is null and created_at < now() - make_interval(secs => $1))
            order by id limit $3
            for update skip locked)
        returning id, caller_id as "caller_id: CallerId", upload_id
        "#,
        orphans_after.as_secs_f64(),
        after,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Deletes the rows of recordings whose objects are gone.
pub async fn forget(db: &PgPool, ids: &[Uuid]) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from aftercall.media where id = any($1) and removed_at is not null",
        ids
    );
    Ok(done.execute(db).await?.rows_affected())
}

/// How many recordings would be removed for the end of their last job before `cutoff`.
pub async fn count_due(db: impl PgExecutor<'_>, cutoff: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "due!" from aftercall.media m
        where created_at < $1 and stored_at is not null and removed_at is null
          and not exists (
            select from aftercall.jobs j
            where j.media_id = m.id and (j.finished_at is null or j.finished_at >= $1))
        "#,
        cutoff,
    )
    .fetch_one(db)
    .await
}

/// For how many seconds the oldest recording has been due, for an age in seconds.
pub async fn overdue(db: impl PgExecutor<'_>, age: f64) -> sqlx::Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"
        select extract(epoch from now() - make_interval(secs => $1)
            - greatest(m.created_at, (select max(finished_at) from aftercall.jobs j where j.media_id = m.id)))::float8
        from aftercall.media m
        where created_at < now() - make_interval(secs => $1)
          and stored_at is not null and removed_at is null
          and not exists (
            select from aftercall.jobs j where j.media_id = m.id
              and (j.finished_at is null or j.finished_at >= now() - make_interval(secs => $1)))
        order by m.id limit 1
        "#,
        age,
    )
    .fetch_optional(db)
    .await
    .map(Option::flatten)
}
