//! The shape of a conversation: who talks when, for how long, and over whom. It is computed from the result and stored
//! with it; docs/conversation-shape.md has the definitions.
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
pub use shape::{Emotion, Shape, ShapeInput, SpeakerMeasures, is_short};
pub use timeline::{Said, millis, seconds};
pub use write::{NewConversation, store};

/// Deletes the shapes of these jobs; returns how many, and how many speakers they had.
pub async fn remove(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        with speaker as (
            delete from aftercall.conversation_speakers where job_id = any($1) returning 1
        ), conversation as (
            delete from aftercall.conversations where job_id = any($1) returning 1
        )
        select (select count(*) from conversation) as "conversations!",
            (select count(*) from speaker) as "speakers!"
        "#,
        jobs as &[JobId],
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.conversations, row.speakers))
}
