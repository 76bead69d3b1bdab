//! The keys that have sealed something: table `seal_keys`. Postgres decides which keys a process needs, since several
//! processes share the rows.
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::{OpenError, Place, Seal};

/// What every key has sealed, so that another key of the same id is recognized.
const PROOF: &[u8] = b"aftercall";
const PROOF_OF: Place = Place { table: "seal_keys", row: Uuid::nil() };

/// Why the configured keys cannot be used with this database.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    #[error("rows of this database are sealed with keys that seal.key does not have: {}", .0.join(", "))]
    Missing(Vec<String>),
    #[error("another key than the configured one has sealed rows of this database as {0:?}")]
    Different(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Ids of the keys that have sealed rows of this database.
pub async fn known_ids(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select id from aftercall.seal_keys order by created_at, id")
        .fetch_all(db)
        .await
}

/// Checks that the keys open everything that is sealed.
///
/// # Errors
/// When a key is missing or different.
pub async fn prove(db: impl PgExecutor<'_>, seal: &Seal) -> Result<(), KeyFault> {
    let known = sqlx::query!("select id, proof from aftercall.seal_keys order by created_at, id")
        .fetch_all(db)
        .await?;
    let mut missing = Vec::new();
    for key in known {
        match seal.open(PROOF_OF, &key.proof) {
            Ok(_) => {}
            Err(OpenError::UnknownKey(id)) => missing.push(id),
            Err(OpenError::Tampered | OpenError::Malformed) => {
                return Err(KeyFault::Different(key.id));
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(KeyFault::Missing(missing)) }
}

/// Checks that the keys are those with which rows are sealed, and notes the current one before it seals anything.
///
/// # Errors
/// When a key is missing or different; nothing is noted then.
pub async fn register(db: &PgPool, seal: &Seal) -> Result<(), KeyFault> {
    let mut tx = crate::db::begin(db).await?;
    // Two processes with keys of their own, which have never met, must not both start.
    sqlx::query!("lock table aftercall.seal_keys in share row exclusive mode")
        .execute(&mut *tx)
        .await?;
    prove(&mut *tx, seal).await?;
    let proof = seal.seal(PROOF_OF, PROOF);
    let current = Seal::key_id_of(&proof).unwrap_or_default();
    sqlx::query!(
        "insert into aftercall.seal_keys (id, proof) values ($1, $2) on conflict do nothing",
        current,
        proof,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Forgets a key: no process needs it any more. Values that it has sealed are lost.
pub async fn forget(db: impl PgExecutor<'_>, id: &str) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("delete from aftercall.seal_keys where id = $1", id).execute(db).await?;
    Ok(done.rows_affected() == 1)
}
