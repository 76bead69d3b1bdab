//! The peaks of stored recordings: a row each, made by the first process that is asked for them. It goes with its recording.
use std::time::Duration;

use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::audio::Peaks;

/// What is known about the peaks of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredPeaks {
    Known(Peaks),
    /// There are none, and why.
    None(String),
}

/// `None` until they have been computed.
pub async fn find_peaks(
    db: impl PgExecutor<'_>,
    media_id: Uuid,
) -> sqlx::Result<Option<StoredPeaks>> {
    let row = sqlx::query!(
        r#"
        select channels as "channels!", peaks as "peaks!", duration_seconds as "seconds!", failure
        from aftercall.media_peaks where media_id = $1 and computed_at is not null
        "#,
        media_id,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        if let Some(why) = row.failure {
            return StoredPeaks::None(why);
        }
        let channels = usize::try_from(row.channels).unwrap_or_default().max(1);
        let each = (row.peaks.len() / channels).max(1);
        StoredPeaks::Known(Peaks {
            channels: row.peaks.chunks(each).map(<[u8]>::to_vec).collect(),
            duration: Duration::try_from_secs_f64(row.seconds).unwrap_or_default(),
        })
    }))
}

/// Whether this process shall compute them: nobody has, and nobody else is about to. Others may after `lease`.
pub async fn claim_peaks(
    db: impl PgExecutor<'_>,
    media_id: Uuid,
    lease: Duration,
) -> sqlx::Result<bool> {
    let claimed = sqlx::query_scalar!(
        r#"
        insert into aftercall.media_peaks as p (media_id, claimed_until)
        select id, now() + make_interval(secs => $2) from aftercall.media
        where id = $1 and stored_at is not null and removed_at is null
        for key share
        on conflict on constraint media_peaks_pkey do update set claimed_until = excluded.claimed_until
            where p.computed_at is null and p.claimed_until < now()
        returning media_id
        "#,
        media_id,
        lease.as_secs_f64(),
    )
    .fetch_optional(db)
    .await?;
    Ok(claimed.is_some())
}

/// Claims them for longer.
pub(super) async fn extend_claim(db: &PgPool, media_id: Uuid, lease: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update aftercall.media_peaks set claimed_until = now() + make_interval(secs => $2)
        where media_id = $1 and computed_at is null
        "#,
        media_id,
        lease.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Stores them; nothing happens if the recording is gone.
pub(super) async fn keep_peaks(
    db: &PgPool,
    media_id: Uuid,
    found: &StoredPeaks,
) -> sqlx::Result<()> {
    let (channels, peaks, duration, failure) = match found {
        StoredPeaks::Known(Peaks { channels, duration }) => {
            (channels.len(), channels.concat(), *duration, None)
        }
        StoredPeaks::None(why) => (0, Vec::new(), Duration::ZERO, Some(why)),
    };
    sqlx::query!(
        r#"
        update aftercall.media_peaks set computed_at = now(), channels = $2, peaks = $3, duration_seconds = $4,
            failure = $5
        where media_id = $1 and computed_at is null
        "#,
        media_id,
        i32::try_from(channels).unwrap_or_default(),
        peaks,
        duration.as_secs_f64(),
        failure,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets another process compute them right away.
pub(super) async fn release_peaks(db: &PgPool, media_id: Uuid) -> sqlx::Result<()> {
    let released = sqlx::query!(
        "delete from aftercall.media_peaks where media_id = $1 and computed_at is null",
        media_id
    );
    released.execute(db).await.map(drop)
}
