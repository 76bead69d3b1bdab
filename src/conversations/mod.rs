//! The shape of a conversation: who talks when, how long and over whom. Computed from what was found in
//! it and stored with that; docs/conversation-shape.md has the definitions.
mod read;
mod shape;
mod timeline;
mod write;

use sqlx::PgTransaction;

use crate::jobs::JobId;

pub use read::{
    BucketRow, ConversationRow, EmotionRun, SpeakerShape, buckets, conversation, emotion_runs,
    speakers,
};
pub use shape::{Emotion, Found, Shape, Speaker};
pub use timeline::{Said, millis, seconds};
pub use write::store;

/// The jobs have no shapes any more.
pub async fn remove(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<()> {
    sqlx::query!(
        "with speaker as (delete from aftercall.conversation_speakers where job_id = any($1))
         delete from aftercall.conversations where job_id = any($1)",
        jobs as &[JobId],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
