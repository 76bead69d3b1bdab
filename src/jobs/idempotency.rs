//! Stored responses to requests with an Idempotency-Key.
use std::collections::HashSet;

use sqlx::{PgPool, PgTransaction};

use crate::{callers::CallerId, db::column};

/// How long a batch waits for another transaction that stores one of its keys. Those who share the batch wait as well.
const BATCH_PATIENCE: &str = "100ms";

/// A key within its scope: one caller and one route.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    pub caller_id: CallerId,
    pub route: &'static str,
    pub text: String,
    /// SHA-256 of the request body.
    pub fingerprint: [u8; 32],
}

#[derive(Debug)]
pub enum Reserved {
    First,
    Before { fingerprint: Vec<u8>, status: i16, location: String, body: String },
}

/// Inserts the key, or returns what was stored under it less than 24 hours ago. Waits for a
/// concurrent transaction that has inserted the same key.
pub async fn reserve(tx: &mut PgTransaction<'_>, key: &IdempotencyKey) -> sqlx::Result<Reserved> {
    let inserted = sqlx::query!(
        r#"
        insert into aftercall.idempotency_keys
            (caller_id, route, key, fingerprint, location, body)
        values ($1, $2, $3, $4, '', '')
        on conflict do nothing
        "#,
        key.caller_id as CallerId,
        key.route,
        key.text,
        &key.fingerprint,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 1 || replaces_old(tx, key).await? {
        return Ok(Reserved::First);
    }
    let row = sqlx::query!(
        r#"
        select fingerprint, status, location, body from aftercall.idempotency_keys
        where caller_id = $1 and route = $2 and key = $3
        "#,
        key.caller_id as CallerId,
        key.route,
        key.text,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Reserved::Before {
        fingerprint: row.fingerprint,
        status: row.status,
        location: row.location,
        body: row.body,
    })
}

/// Whether the stored key was older than a day; it is then reserved again.
async fn replaces_old(tx: &mut PgTransaction<'_>, key: &IdempotencyKey) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update aftercall.idempotency_keys set
            fingerprint = $4, location = '', body = '', created_at = now()
        where caller_id = $1 and route = $2 and key = $3
            and created_at < now() - interval '24 hours'
        "#,
        key.caller_id as CallerId,
        key.route,
        key.text,
        &key.fingerprint,
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores the response under a key reserved in the same transaction.
pub async fn record(
    tx: &mut PgTransaction<'_>,
    key: &IdempotencyKey,
    status: i16,
    location: &str,
    body: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update aftercall.idempotency_keys set location = $4, body = $5, status = $6
        where caller_id = $1 and route = $2 and key = $3
        "#,
        key.caller_id as CallerId,
        key.route,
        key.text,
        location,
        body,
        status,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The response to the first request with a key.
#[derive(Debug)]
pub struct Answered<'a> {
    pub key: &'a IdempotencyKey,
    pub status: i16,
    pub location: &'a str,
    pub body: &'a str,
}

/// Stores responses under keys that are not reserved yet and differ from one another. Returns the indexes of those whose keys
/// are taken, however long ago: the transaction must then be rolled back. In the order of the keys, so that no two batches
/// wait for each other.
///
/// # Errors
/// Also a lock timeout, if another transaction has inserted one of the keys and does not end soon.
pub async fn record_all(
    tx: &mut PgTransaction<'_>,
    answered: &[Answered<'_>],
) -> sqlx::Result<Vec<usize>> {
    let rows = sqlx::query!(
        r#"
        insert into aftercall.idempotency_keys
            (caller_id, route, key, fingerprint, status, location, body)
        select caller_id, route, key, fingerprint, status, location, body
        from (select set_config('lock_timeout', $8, true)) as patience,
            unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::smallint[], $6::text[], $7::text[])
                as given (caller_id, route, key, fingerprint, status, location, body)
        order by caller_id, route, key
        on conflict do nothing
        returning caller_id as "caller_id: CallerId", route, key
        "#,
        &column(answered, |it| it.key.caller_id) as &[CallerId],
        &column(answered, |it| it.key.route) as &[&str],
        &column(answered, |it| it.key.text.as_str()) as &[&str],
        &column(answered, |it| &it.key.fingerprint[..]) as &[&[u8]],
        &column(answered, |it| it.status),
        &column(answered, |it| it.location) as &[&str],
        &column(answered, |it| it.body) as &[&str],
        BATCH_PATIENCE,
    )
    .fetch_all(&mut **tx)
    .await?;
    if rows.len() == answered.len() {
        return Ok(Vec::new());
    }
    let stored: HashSet<_> =
        rows.iter().map(|row| (row.caller_id, row.route.as_str(), row.key.as_str())).collect();
    let is_taken = |it: &Answered<'_>| {
        !stored.contains(&(it.key.caller_id, it.key.route, it.key.text.as_str()))
    };
    let numbered = answered.iter().enumerate();
    Ok(numbered.filter(|(_, it)| is_taken(it)).map(|(n, _)| n).collect())
}

/// Deletes keys older than a day; returns their number.
pub async fn delete_expired(db: &PgPool) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from aftercall.idempotency_keys where created_at < now() - interval '24 hours'"
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
