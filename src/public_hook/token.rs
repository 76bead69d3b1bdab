//! Tokens of self-tests. They have the form of a webhook token: in place of a job's id there is a marker and the time
//! at which the token expires, in place of the random secret an HMAC of both.
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::PgPool;
use uuid::Uuid;

use super::table;
use crate::{db, jobs::Token};

/// The first half of the id; as a `UUIDv7` it would be of 1970, so no job has such an id.
const MARKER: [u8; 8] = *b"\0\0\0\0\0\0st";
/// Name of the secret that all replicas share.
const SECRET: &str = "hook_test";
/// Lifetime of a token.
const LIFETIME: Duration = Duration::from_mins(2);

/// Makes and recognizes tokens of self-tests.
#[derive(Clone)]
pub struct SelfTestKey {
    db: PgPool,
    key: Vec<u8>,
}

impl std::fmt::Debug for SelfTestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SelfTestKey")
    }
}

impl SelfTestKey {
    pub async fn load(db: &PgPool) -> sqlx::Result<Self> {
        Ok(Self { db: db.clone(), key: db::service_secret(db, SECRET).await? })
    }

    /// A token that expires in two minutes by the database's clock.
    pub async fn token(&self) -> sqlx::Result<Token> {
        let expires = table::seconds_since_1970(&self.db).await?.saturating_add(LIFETIME.as_secs());
        Ok(self.token_at(expires))
    }

    /// A token that expires at this time, in seconds since 1970; it is only accepted within two minutes before.
    pub fn token_at(&self, expires: u64) -> Token {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&MARKER);
        id[8..].copy_from_slice(&expires.to_be_bytes());
        Token::new(Uuid::from_bytes(id).into(), self.secret(&id))
    }

    /// When the token expires, in seconds since 1970; `None` if it is not of a self-test. Takes the same time for every
    /// token of a job, and for every forged one.
    pub fn expiry(&self, token: &Token) -> Option<u64> {
        let id = token.job_id.uuid().into_bytes();
        let (marker, expires) = id.split_at(8);
        if marker != MARKER || !token.has_secret(&self.secret(&id)) {
            return None;
        }
        Some(u64::from_be_bytes(expires.try_into().ok()?))
    }

    /// Whether that time has not come yet; fails like a delivery while the database is not available.
    pub async fn is_current(&self, expiry: u64) -> sqlx::Result<bool> {
        let now = table::seconds_since_1970(&self.db).await?;
        Ok((now..=now.saturating_add(LIFETIME.as_secs())).contains(&expiry))
    }

    fn secret(&self, id: &[u8; 16]) -> [u8; 32] {
        // Only fails for keys of an impossible length; an HMAC has none.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return [0; 32] };
        mac.update(id);
        mac.finalize().into_bytes().into()
    }
}
