//! Stored recordings. One whose removal was asked for does not exist.
use sqlx::{PgExecutor, PgTransaction};
use uuid::Uuid;

use super::Media;
use crate::callers::CallerId;

/// `None` also when the recording belongs to another caller.
pub async fn find_for_caller(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    id: Uuid,
) -> sqlx::Result<Option<Media>> {
    sqlx::query_as!(
        Media,
        r#"
        select id, caller_id, sha256, bytes, encoding, container, codec, channels, sample_rate,
            duration_seconds, created_at
        from aftercall.media
        where id = $2 and caller_id = $1 and stored_at is not null and removed_at is null
        "#,
        caller_id as CallerId,
        id,
    )
    .fetch_optional(db)
    .await
}

/// The recording with these bytes, if the caller has uploaded them before.
pub(super) async fn find_same(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    sha256: &[u8],
) -> sqlx::Result<Option<Media>> {
    sqlx::query_as!(
        Media,
        r#"
        select id, caller_id, sha256, bytes, encoding, container, codec, channels, sample_rate,
            duration_seconds, created_at
        from aftercall.media
        where caller_id = $1 and sha256 = $2 and stored_at is not null and removed_at is null
        "#,
        caller_id as CallerId,
        sha256,
    )
    .fetch_optional(db)
    .await
}

/// Of any caller.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<Media>> {
    sqlx::query_as!(
        Media,
        r#"
        select id, caller_id, sha256, bytes, encoding, container, codec, channels, sample_rate,
            duration_seconds, created_at
        from aftercall.media where id = $1 and stored_at is not null and removed_at is null
        "#,
        id,
    )
    .fetch_optional(db)
    .await
}

/// The same, and nobody removes it until the transaction ends, which may add a job that needs it.
pub async fn lock_for_job(
    tx: &mut PgTransaction<'_>,
    caller_id: CallerId,
    id: Uuid,
) -> sqlx::Result<Option<Media>> {
    sqlx::query_as!(
        Media,
        r#"
        select id, caller_id, sha256, bytes, encoding, container, codec, channels, sample_rate,
            duration_seconds, created_at
        from aftercall.media
        where id = $2 and caller_id = $1 and stored_at is not null and removed_at is null
        for share
        "#,
        caller_id as CallerId,
        id,
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Bytes that count towards the caller's quota, uploads in progress included. Each recording counts at least 64 KiB, so
/// that the quota bounds their number.
pub async fn held_bytes(db: impl PgExecutor<'_>, caller_id: CallerId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select coalesce(sum(greatest(bytes, 65536)), 0)::bigint as "bytes!"
        from aftercall.media where caller_id = $1
        "#,
        caller_id as CallerId,
    )
    .fetch_one(db)
    .await
}
