//! Changes of endpoints by their callers.
use std::time::Duration;

use sqlx::{PgExecutor, PgTransaction};
use url::Url;
use uuid::Uuid;

use super::{EventType, Include, TABLE};
use crate::{
    callers::CallerId,
    egress::Secret,
    seal::{Place, Seal},
};

/// A URL, and how it is shown.
#[derive(Debug, Clone)]
pub struct NewUrl {
    pub url: Url,
    /// Without credentials.
    pub shown: String,
}

#[derive(Debug)]
pub struct NewEndpoint<'a> {
    pub id: Uuid,
    pub url: &'a NewUrl,
    pub events: &'a [EventType],
    pub include: &'a [Include],
    pub description: Option<&'a str>,
    pub secret: &'a Secret,
}

/// What stays as it is, is `None`.
#[derive(Debug, Default)]
pub struct EndpointChange {
    pub url: Option<NewUrl>,
    pub events: Option<Vec<EventType>>,
    pub include: Option<Vec<Include>>,
    /// Empty: none.
    pub description: Option<String>,
}

fn place(id: Uuid) -> Place {
    Place { table: TABLE, row: id }
}

fn names(events: &[EventType]) -> Vec<&'static str> {
    events.iter().map(|kind| kind.name()).collect()
}

fn included(include: &[Include]) -> Vec<&'static str> {
    include.iter().map(|part| part.name()).collect()
}

/// Returns `false`, and creates nothing, if the caller already has `most` endpoints.
pub async fn create(
    tx: &mut PgTransaction<'_>,
    seal: &Seal,
    caller_id: CallerId,
    new: &NewEndpoint<'_>,
    most: u32,
) -> sqlx::Result<bool> {
    // Concurrent requests of a caller are counted one after the other.
    sqlx::query!(
        "select id from aftercall.callers where id = $1 for no key update",
        caller_id as CallerId,
    )
    .fetch_one(&mut **tx)
    .await?;
    let done = sqlx::query!(
        r#"
        insert into aftercall.endpoints
            (id, caller_id, url_sealed, url_shown, events, include, description, secret)
        select $2, $1, $3, $4, $5, $6, $7, $8
        where (
            select count(*) from aftercall.endpoints where caller_id = $1 and deleted_at is null
        ) < $9
        "#,
        caller_id as CallerId,
        new.id,
        seal.seal(place(new.id), new.url.url.as_str().as_bytes()),
        new.url.shown,
        &names(new.events) as &[&str],
        &included(new.include) as &[&str],
        new.description,
        seal.seal(place(new.id), new.secret.bytes()),
        i64::from(most),
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A new URL has not failed yet; the state stays as it is.
pub async fn update(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    caller_id: CallerId,
    id: Uuid,
    change: &EndpointChange,
) -> sqlx::Result<bool> {
    let url = change.url.as_ref();
    let (events, include) =
        (change.events.as_deref().map(names), change.include.as_deref().map(included));
    let sealed = url.map(|new| seal.seal(place(id), new.url.as_str().as_bytes()));
    let done = sqlx::query!(
        r#"
        update aftercall.endpoints set
            url_sealed = coalesce($3, url_sealed), url_shown = coalesce($4, url_shown),
            failures = case when $3::bytea is null then failures else 0 end,
            failing_since = case when $3::bytea is null then failing_since end,
            events = coalesce($5, events), include = coalesce($6, include),
            description = case when $7::text is null then description else nullif($7, '') end, updated_at = now()
        where id = $2 and caller_id = $1 and deleted_at is null
        "#,
        caller_id as CallerId,
        id,
        sealed,
        url.map(|new| new.shown.as_str()),
        events.as_deref() as Option<&[&str]>,
        include.as_deref() as Option<&[&str]>,
        change.description,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets the URL and the secrets.
pub async fn delete(db: impl PgExecutor<'_>, caller_id: CallerId, id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update aftercall.endpoints set
            deleted_at = now(), updated_at = now(), url_sealed = null, secret = null,
            previous_secret = null, previous_secret_until = null
        where id = $2 and caller_id = $1 and deleted_at is null
        "#,
        caller_id as CallerId,
        id,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Messages are kept for it until it is resumed.
pub async fn pause(db: impl PgExecutor<'_>, caller_id: CallerId, id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update aftercall.endpoints set
            state = 'paused', pause_reason = 'by_caller', paused_at = coalesce(paused_at, now()),
            probe_at = null, updated_at = now()
        where id = $2 and caller_id = $1 and deleted_at is null
        "#,
        caller_id as CallerId,
        id,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes it active, and forgets that it failed.
pub async fn resume(db: impl PgExecutor<'_>, caller_id: CallerId, id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update aftercall.endpoints set
            state = 'active', pause_reason = null, paused_at = null, failing_since = null,
            failures = 0, probe_at = null, updated_at = now()
        where id = $2 and caller_id = $1 and deleted_at is null
        "#,
        caller_id as CallerId,
        id,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// `overlap`: how long the secret until now also signs; the one before it no longer does.
pub async fn rotate(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    caller_id: CallerId,
    id: Uuid,
    secret: &Secret,
    overlap: Duration,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update aftercall.endpoints set
            previous_secret = case when $4::float8 > 0 then secret end,
            previous_secret_until = case when $4::float8 > 0 then now() + make_interval(secs => $4) end,
            secret = $3, rotated_at = now(), updated_at = now()
        where id = $2 and caller_id = $1 and deleted_at is null
        "#,
        caller_id as CallerId,
        id,
        seal.seal(place(id), secret.bytes()),
        overlap.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets secrets that no longer sign; returns how many.
pub async fn forget_secrets(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"
        update aftercall.endpoints set previous_secret = null, previous_secret_until = null
        where previous_secret_until <= now()
        "#
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Removes up to `most` endpoints that were deleted over a day ago and that no message refers to any more; returns how
/// many. A day, so that nothing that was in progress when they were deleted comes too late.
pub async fn remove_deleted(db: impl PgExecutor<'_>, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"
        delete from aftercall.endpoints where id in (
            select e.id from aftercall.endpoints e
            where e.deleted_at < now() - interval '1 day'
                and not exists (select from aftercall.notifications where endpoint_id = e.id)
            limit $1
            for update skip locked
        )
        "#,
        most,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
