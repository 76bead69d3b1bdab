//! Stores a recording that has been received and checked.
use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use super::{
    Media, Spooled, Store, StoreError,
    read::{find_for_caller, find_same, held_bytes},
    store::ObjectName,
};
use crate::{audio::Audio, callers::CallerId, db};

/// A recording to store.
#[derive(Debug)]
pub struct NewMedia {
    pub caller_id: CallerId,
    pub file: Spooled,
    pub audio: Audio,
    pub encoding: &'static str,
    /// Bytes that the caller may have stored.
    pub quota: u64,
    /// How long the store may take for all of it.
    pub timeout: Duration,
}

#[derive(Debug)]
pub struct Kept {
    pub media: Media,
    /// Whether the caller had not uploaded these bytes before.
    pub is_new: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// With the bytes that the caller has stored.
    #[error("the caller's quota is used up")]
    Quota(u64),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Stores the recording, or finds the one with the same bytes. Nothing is visible, to anybody, until all of it is stored.
///
/// # Errors
/// Whatever the error, nothing was stored. An object that may be left in the store is deleted by retention.
pub async fn keep(db: &PgPool, store: &Store, new: NewMedia) -> Result<Kept, KeepError> {
    if let Some(media) = find_same(db, new.caller_id, &new.file.sha256).await? {
        return Ok(Kept { media, is_new: false });
    }
    let id = Uuid::now_v7();
    reserve(db, id, &new).await?;
    let (caller_id, sha256) = (new.caller_id, new.file.sha256);
    match put(db, store, id, new).await {
        Ok(true) => {
            let media = find_for_caller(db, caller_id, id).await?;
            // Only an administrator's statement could remove it right now.
            Ok(Kept { media: media.ok_or(sqlx::Error::RowNotFound)?, is_new: true })
        }
        Ok(false) => {
            undo(db, store, caller_id, id).await;
            let media = find_same(db, caller_id, &sha256).await?;
            Ok(Kept { media: media.ok_or(sqlx::Error::RowNotFound)?, is_new: false })
        }
        Err(error) => {
            undo(db, store, caller_id, id).await;
            Err(error)
        }
    }
}

/// Inserts the row, if the caller's quota allows.
async fn reserve(db: &PgPool, id: Uuid, new: &NewMedia) -> Result<(), KeepError> {
    let bytes = i64::try_from(new.file.bytes).unwrap_or(i64::MAX);
    let mut tx = db::begin(db).await?;
    // Uploads of one caller are counted one after another.
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('media ' || $1::text, 0))",
        new.caller_id.to_string(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let held = u64::try_from(held_bytes(&mut *tx, new.caller_id).await?).unwrap_or(u64::MAX);
    if held.saturating_add(new.file.bytes) > new.quota {
        return Err(KeepError::Quota(held));
    }
    sqlx::query!(
        r#"
        insert into aftercall.media (id, caller_id, sha256, bytes, encoding, container, codec, channels,
            sample_rate, duration_seconds)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        "#,
        id,
        new.caller_id as CallerId,
        &new.file.sha256[..],
        bytes,
        new.encoding,
        new.audio.container.name(),
        new.audio.codec,
        i32::from(new.audio.channels),
        i32::try_from(new.audio.sample_rate).unwrap_or(i32::MAX),
        new.audio.duration.as_secs_f64(),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Whether it was stored; otherwise another upload of the same bytes was faster.
async fn put(db: &PgPool, store: &Store, id: Uuid, new: NewMedia) -> Result<bool, KeepError> {
    let name = ObjectName::of(new.caller_id, id);
    let storing = async {
        let upload_id = store.begin(&name, new.file.bytes).await?;
        if let Some(upload_id) = &upload_id {
            note_upload(db, id, upload_id).await?;
        }
        store.put(&name, new.file, upload_id).await?;
        Ok::<_, KeepError>(())
    };
    tokio::time::timeout(new.timeout, storing).await.map_err(|_| StoreError::TimedOut)??;
    let marked = sqlx::query!(
        r#"
        update aftercall.media set stored_at = now(), upload_id = null
        where id = $1 and stored_at is null and removed_at is null
        "#,
        id,
    )
    .execute(db)
    .await;
    match marked {
        Ok(done) if done.rows_affected() == 1 => Ok(true),
        // Retention took it for abandoned.
        Ok(_) => Err(StoreError::TimedOut.into()),
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn note_upload(db: &PgPool, id: Uuid, upload_id: &str) -> sqlx::Result<()> {
    let noted =
        sqlx::query!("update aftercall.media set upload_id = $2 where id = $1", id, upload_id);
    noted.execute(db).await.map(drop)
}

/// Marks the row as removed and deletes what there is; retention does what fails here.
async fn undo(db: &PgPool, store: &Store, caller_id: CallerId, id: Uuid) {
    let marked = sqlx::query_scalar!(
        r#"
        update aftercall.media set removed_at = now() where id = $1 and stored_at is null
        returning upload_id
        "#,
        id,
    )
    .fetch_optional(db)
    .await;
    let Ok(Some(upload_id)) = marked else { return };
    let name = ObjectName::of(caller_id, id);
    if store.delete(&name, upload_id.as_deref()).await.is_ok() {
        // If this fails, it is repeated.
        let _ = super::forget(db, &[id]).await;
    }
}

fn is_conflict(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
