//! Makes API keys, and their successors.
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

use super::{CallerId, Scope};
use crate::{db, http::hex};

/// Longest validity of a key and longest overlap: beyond it, a mistake is more likely.
pub const LONGEST_LIFETIME: Duration = Duration::from_hours(50 * 365 * 24);
/// The highest rate of a key.
pub const MAX_RATE: u32 = 1_000_000_000;
/// Maximum number of characters of a key's name.
pub const MAX_NAME: usize = 100;

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
    /// Requests per `keys.rate_window`; `None`: `keys.rate_limit`.
    pub rate: Option<u32>,
}

impl Default for KeyTerms<'_> {
    /// What a key has that nothing is said about.
    fn default() -> Self {
        Self { lifetime: None, scopes: Scope::PLAIN, rate: None }
    }
}

/// What came of replacing a key.
#[derive(Debug)]
pub enum Rolled {
    Successor(NewKey),
    /// The key does not exist, is revoked or has expired.
    NotValid,
    /// It has this successor, which is still valid.
    Before(String),
}

impl NewKey {
    fn generate() -> Self {
        let mut random = [0; 40];
        rand::rng().fill_bytes(&mut random);
        let id = hex(&random[..8]);
        let text = format!("ac_{id}_{}", URL_SAFE_NO_PAD.encode(&random[8..]));
        Self { id, text: text.into() }
    }

    fn sha(&self) -> [u8; 32] {
        Sha256::digest(self.text.expose_secret()).into()
    }
}

/// Whether a caller may be called this; the table says the same.
pub fn is_caller_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
        && name.bytes().next().is_some_and(is_plain)
}

/// Creates a key for a caller; an unknown caller is registered.
///
/// # Errors
/// Violates `callers_name_form` unless [`is_caller_name`].
pub async fn create(
    db: &PgPool,
    caller: &str,
    name: &str,
    terms: KeyTerms<'_>,
) -> sqlx::Result<NewKey> {
    let key = NewKey::generate();
    let scopes: Vec<&str> = terms.scopes.iter().map(|scope| scope.name()).collect();
    sqlx::query!(
        r#"
        with caller as (
            insert into aftercall.callers (id, name) values ($1, $2)
            on conflict on constraint callers_name_unique do update set name = excluded.name
            returning id
        )
        insert into aftercall.api_keys (id, caller_id, name, key_sha, expires_at, scopes, rate)
        select $3, id, $4, $5, now() + make_interval(secs => $6), $7, $8 from caller
        "#,
        CallerId::generate() as CallerId,
        caller,
        key.id,
        name,
        &key.sha(),
        terms.lifetime.map(|lifetime| lifetime.as_secs_f64()),
        &scopes as &[&str],
        stored(terms.rate),
    )
    .execute(db)
    .await?;
    Ok(key)
}

/// Makes a successor: a key of the same caller with the same name, scopes and rate. The old key expires after `overlap`,
/// unless it does so earlier. `lifetime`: of the successor.
///
/// A key with a valid successor gets no other, so that a request that is repeated makes no key that no one knows.
pub async fn roll(
    db: &PgPool,
    id: &str,
    overlap: Duration,
    lifetime: Option<Duration>,
) -> sqlx::Result<Rolled> {
    let mut tx = db::begin(db).await?;
    let old = sqlx::query!(
        "select successor_id from aftercall.api_keys
        where id = $1 and revoked_at is null and (expires_at is null or expires_at > now())
        for update",
        id,
    );
    let Some(old) = old.fetch_optional(&mut *tx).await? else { return Ok(Rolled::NotValid) };
    if let Some(successor) = old.successor_id {
        let ended = super::keys::ended(&mut *tx, std::slice::from_ref(&successor)).await?;
        if ended.is_empty() {
            return Ok(Rolled::Before(successor));
        }
    }
    let key = NewKey::generate();
    sqlx::query!(
        r#"
        with old as (
            update aftercall.api_keys
            set successor_id = $2, expires_at = least(expires_at, now() + make_interval(secs => $3))
            where id = $1
            returning caller_id, name, scopes, rate
        )
        insert into aftercall.api_keys (id, caller_id, name, key_sha, expires_at, scopes, rate)
        select $2, caller_id, name, $4, now() + make_interval(secs => $5), scopes, rate from old
        "#,
        id,
        key.id,
        overlap.as_secs_f64(),
        &key.sha(),
        lifetime.map(|lifetime| lifetime.as_secs_f64()),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Rolled::Successor(key))
}

fn stored(rate: Option<u32>) -> Option<i32> {
    rate.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_have_plain_names() {
        for name in ["crm", "call-center.eu", "7", &"a".repeat(64)] {
            assert!(is_caller_name(name), "{name}");
        }
        for name in ["", "Crm", "-crm", "a b", "é", &"a".repeat(65)] {
            assert!(!is_caller_name(name), "{name}");
        }
    }
}
