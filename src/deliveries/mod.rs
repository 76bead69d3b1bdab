//! Raw deliveries: what the provider sent, byte for byte, and what became of it.
use serde_json::{Map, Value};
use sqlx::PgTransaction;
use uuid::Uuid;

use crate::jobs::CompletedVia;

/// What became of a delivery. The provider is told 200 in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outcome {
    /// It brought the result, or the failure, of its job.
    Accepted,
    /// The same bytes had come before.
    Duplicate,
    /// Its job had ended otherwise.
    Late,
    /// Another delivery had brought a result before.
    Superseded,
    /// It could not be read; kept for a later reading.
    Malformed,
    /// It speaks of another job of the provider.
    Mismatch,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Superseded => "superseded",
            Self::Malformed => "malformed",
            Self::Mismatch => "mismatch",
        }
    }
}

#[derive(Debug)]
pub struct Delivery<'a> {
    pub job_id: Uuid,
    pub attempt: i32,
    pub via: CompletedVia,
    pub headers: &'a Map<String, Value>,
    /// As received, before any `Content-Encoding` is undone.
    pub body: &'a [u8],
    /// SHA-256 of `body`.
    pub body_sha: [u8; 32],
}

/// Whether the same bytes reached this job before. Exact while the job's row is locked.
pub async fn is_known(tx: &mut PgTransaction<'_>, delivery: &Delivery<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from aftercall.deliveries where job_id = $1 and body_sha = $2
        ) as "known!"
        "#,
        delivery.job_id,
        &delivery.body_sha,
    )
    .fetch_one(&mut **tx)
    .await
}

/// Keeps the delivery. The bytes of a duplicate are there already and are not stored again.
pub async fn keep(
    tx: &mut PgTransaction<'_>,
    delivery: &Delivery<'_>,
    outcome: Outcome,
    reason: Option<&str>,
) -> sqlx::Result<()> {
    let body = (outcome != Outcome::Duplicate).then_some(delivery.body);
    sqlx::query!(
        r#"
        insert into aftercall.deliveries
            (job_id, id, attempt, via, outcome, reason, headers, body, body_sha, body_bytes)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        "#,
        delivery.job_id,
        Uuid::now_v7(),
        delivery.attempt,
        delivery.via as CompletedVia,
        outcome as Outcome,
        reason,
        sqlx::types::Json(delivery.headers) as _,
        body,
        &delivery.body_sha,
        i32::try_from(delivery.body.len()).unwrap_or(i32::MAX),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
