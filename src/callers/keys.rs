//! API keys: `ac_<id>_<secret>`. Shown once; only the SHA-256 of the whole key is stored.
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use rand::Rng as _;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use sqlx::{PgExecutor, PgPool};
use subtle::ConstantTimeEq as _;

use super::{Caller, CallerId, Scope, Scopes};
use crate::http::hex;

/// A new key; the only time its text exists on our side.
#[derive(Debug)]
pub struct NewKey {
    pub id: String,
    pub text: SecretString,
}

/// The validity and the rights of a key.
#[derive(Debug, Clone, Copy)]
pub struct KeyTerms<'a> {
    /// `None`: does not expire.
    pub lifetime: Option<Duration>,
    pub scopes: &'a [Scope],
}

impl Default for KeyTerms<'_> {
    /// What a key has that nothing is said about.
    fn default() -> Self {
        Self { lifetime: None, scopes: Scope::PLAIN }
    }
}

/// A key as listed.
#[derive(Debug)]
pub struct KeyRow {
    pub id: String,
    pub caller: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Creates a key for a caller; an unknown caller is registered.
///
/// # Errors
/// Violates `callers_name_form` when the caller's name is not lower-case letters, digits and `._-`.
pub async fn create(
    db: &PgPool,
    caller: &str,
    name: &str,
    terms: KeyTerms<'_>,
) -> sqlx::Result<NewKey> {
    let mut random = [0; 40];
    rand::rng().fill_bytes(&mut random);
    let id = hex(&random[..8]);
    let text = format!("ac_{id}_{}", URL_SAFE_NO_PAD.encode(&random[8..]));
    let key_sha = Sha256::digest(&text);
    let scopes: Vec<&str> = terms.scopes.iter().map(|scope| scope.name()).collect();
    sqlx::query!(
        r#"
        with caller as (
            insert into aftercall.callers (id, name) values ($1, $2)
            on conflict on constraint callers_name_unique do update set name = excluded.name
            returning id
        )
        insert into aftercall.api_keys (id, caller_id, name, key_sha, expires_at, scopes)
        select $3, id, $4, $5, now() + make_interval(secs => $6), $7 from caller
        "#,
        CallerId::generate() as CallerId,
        caller,
        id,
        name,
        key_sha.as_slice(),
        terms.lifetime.map(|lifetime| lifetime.as_secs_f64()),
        &scopes as &[&str],
    )
    .execute(db)
    .await?;
    Ok(NewKey { id, text: text.into() })
}

/// The caller that holds this key; `None` when it is unknown, revoked or expired.
///
/// The last use is recorded to the minute, so that a busy key costs one write per minute.
pub async fn authenticate(db: &PgPool, key: &str) -> sqlx::Result<Option<Caller>> {
    let Some((id, _)) = key.strip_prefix("ac_").and_then(|rest| rest.split_once('_')) else {
        return Ok(None);
    };
    let Some(row) = sqlx::query!(
        r#"
        select k.key_sha, k.caller_id, c.name as caller, k.scopes,
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
    Ok(Some(Caller {
        id: row.caller_id.into(),
        name: row.caller,
        key_id: id.to_owned(),
        scopes: Scopes::known(&row.scopes),
    }))
}

async fn touch(db: impl PgExecutor<'_>, id: &str) -> sqlx::Result<()> {
    sqlx::query!("update aftercall.api_keys set last_used_at = now() where id = $1", id)
        .execute(db)
        .await?;
    Ok(())
}

/// All keys, ordered by caller and age.
pub async fn keys(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<KeyRow>> {
    sqlx::query_as!(
        KeyRow,
        r#"
        select k.id, c.name as caller, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at,
            k.last_used_at
        from aftercall.api_keys k join aftercall.callers c on c.id = k.caller_id
        order by c.name, k.created_at, k.id
        "#,
    )
    .fetch_all(db)
    .await
}

/// `false` when the key does not exist or was already revoked.
pub async fn revoke(db: impl PgExecutor<'_>, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update aftercall.api_keys set revoked_at = now() where id = $1 and revoked_at is null",
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
