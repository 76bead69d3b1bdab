//! The shape of a conversation: who talks when, how long and over whom. Computed in SQL from the rows
//! of a result and stored with them; docs/conversation-shape.md has the definitions.
mod read;

use sqlx::PgTransaction;
use uuid::Uuid;

pub use read::{
    BucketRow, ConversationRow, EmotionRun, SpeakerShape, buckets, conversation, emotion_runs,
    speakers,
};

/// Stores the shapes of jobs whose results have just been stored as rows.
pub async fn store(tx: &mut PgTransaction<'_>, jobs: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!("select aftercall.store_conversations($1)", jobs).execute(&mut **tx).await?;
    Ok(())
}

/// The jobs have no shapes any more.
pub async fn remove(tx: &mut PgTransaction<'_>, jobs: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "with speaker as (delete from aftercall.conversation_speakers where job_id = any($1))
         delete from aftercall.conversations where job_id = any($1)",
        jobs,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
