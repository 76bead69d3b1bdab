//! API keys: `ac_<id>_<secret>`. Shown once; only the SHA-256 of the whole key is stored.
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::{PgExecutor, PgPool};
use subtle::ConstantTimeEq as _;

use super::{Caller, Scopes};

/// A key that is neither revoked nor expired.
#[derive(Debug)]
pub struct ValidKey {
    pub caller: Caller,
    pub name: String,
    pub expires_at: Option<DateTime<Utc>>,
    /// When this was so, by the database's clock.
    pub seen_at: DateTime<Utc>,
}

/// The key with this text; `None` when it is unknown, revoked or expired.
///
/// The last use is recorded to the minute, so that a busy key costs one write per minute.
pub async fn authenticate(db: &PgPool, key: &str) -> sqlx::Result<Option<ValidKey>> {
    let Some((id, _)) = key.strip_prefix("ac_").and_then(|rest| rest.split_once('_')) else {
        return Ok(None);
    };
    let Some(row) = sqlx::query!(
        r#"
        select k.key_sha, k.caller_id, c.name as caller, k.name, k.scopes, k.rate, k.expires_at,
            now() as "seen_at!",
            k.last_used_at is null or k.last_used_at < now() - interval '1 minute' as "stale!"
        from aftercall.api_keys k join aftercall.callers c on c.id = k.caller_id
        where k.id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
        "#,
        id,
    )
    .fetch_optional(db)
    .await?
    else {
        return Ok(None);
    };
    if !bool::from(Sha256::digest(key).as_slice().ct_eq(&row.key_sha)) {
        return Ok(None);
    }
    if row.stale
        && let Err(error) = touch(db, id).await
    {
        // Reads still work while the database accepts no writes.
        let error = &error as &dyn std::error::Error;
        tracing::warn!(key_id = id, error, "cannot record the use of a key");
    }
    let caller = Caller {
        id: row.caller_id.into(),
        name: row.caller,
        key_id: id.to_owned(),
        scopes: Scopes::known(&row.scopes),
        rate: row.rate.and_then(|rate| u32::try_from(rate).ok()),
        operator: None,
    };
    let (name, expires_at, seen_at) = (row.name, row.expires_at, row.seen_at);
    Ok(Some(ValidKey { caller, name, expires_at, seen_at }))
}

async fn touch(db: impl PgExecutor<'_>, id: &str) -> sqlx::Result<()> {
    sqlx::query!("update aftercall.api_keys set last_used_at = now() where id = $1", id)
        .execute(db)
        .await?;
    Ok(())
}

/// `false` when the key does not exist, was already revoked or has expired.
pub async fn revoke(db: impl PgExecutor<'_>, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update aftercall.api_keys set revoked_at = now()
        where id = $1 and revoked_at is null and (expires_at is null or expires_at > now())",
        id,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The keys among `ids` that are no longer valid.
pub async fn ended(db: impl PgExecutor<'_>, ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select id from aftercall.api_keys
        where id = any($1) and (revoked_at is not null or expires_at <= now())",
        ids,
    )
    .fetch_all(db)
    .await
}
