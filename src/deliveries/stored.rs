//! Stored deliveries with their bytes, for reparsing.
use bytes::Bytes;
use serde_json::{Map, Value};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::place;
use crate::{jobs::JobId, seal::Seal};

/// A delivery as received.
#[derive(Debug)]
pub struct Stored {
    pub job_id: JobId,
    pub id: Uuid,
    pub attempt: i32,
    /// The provider's job id, if the attempt knows it by now.
    pub provider_job_id: Option<String>,
    pub headers: Map<String, Value>,
    pub body: Bytes,
    pub body_sha: [u8; 32],
}

impl Stored {
    /// Its `Content-Encoding`.
    pub fn encoding(&self) -> Option<&str> {
        self.header("content-encoding")
    }

    /// A stored header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.as_str()
    }
}

/// The key of a delivery, and its size.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryKey {
    pub job_id: JobId,
    pub id: Uuid,
    pub body_bytes: i32,
}

/// The deliveries with these keys. A replay yields the delivery it replayed, and a duplicate the
/// bytes of the first one. Those that are sealed with a lost key are left out.
pub async fn stored(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    keys: &[DeliveryKey],
) -> sqlx::Result<Vec<Stored>> {
    let jobs: Vec<JobId> = keys.iter().map(|key| key.job_id).collect();
    let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
    let rows = sqlx::query!(
        r#"
        select o.job_id as "job_id: JobId", o.id, o.attempt, o.headers as "headers: Json<Map<String, Value>>",
            o.body_sha, a.provider_job_id as "provider_job_id?", held.id as "held_by!", held.body as "body!",
            held.body_sealed as "is_sealed!"
        from unnest($1::uuid[], $2::uuid[]) as given (job_id, id)
        join aftercall.deliveries d on d.job_id = given.job_id and d.id = given.id
        join aftercall.deliveries o on o.job_id = d.job_id and o.id = coalesce(d.replay_of, d.id)
        cross join lateral (
            select f.id, f.body, f.body_sealed from aftercall.deliveries f
            where f.job_id = o.job_id and f.body_sha = o.body_sha and f.body is not null
                and (o.body is null or f.id = o.id)
            limit 1
        ) held
        left join aftercall.attempts a on a.job_id = o.job_id and a.number = o.attempt
        order by o.id desc
        "#,
        &jobs as &[JobId],
        &ids,
    )
    .fetch_all(db)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let body = match row.is_sealed.then(|| seal.open(place(row.held_by), &row.body)) {
            None => row.body,
            Some(Ok(body)) => body.to_vec(),
            Some(Err(error)) => {
                tracing::error!(%error, delivery_id = %row.id, "cannot open the delivery");
                continue;
            }
        };
        let body_sha = row.body_sha.try_into();
        all.push(Stored {
            job_id: row.job_id,
            id: row.id,
            attempt: row.attempt,
            provider_job_id: row.provider_job_id,
            headers: row.headers.0,
            body: body.into(),
            body_sha: body_sha.map_err(|_| sqlx::Error::Decode("body_sha".into()))?,
        });
    }
    Ok(all)
}

/// The delivery that ended each of these jobs: the last one accepted.
pub async fn decisive(db: impl PgExecutor<'_>, jobs: &[JobId]) -> sqlx::Result<Vec<DeliveryKey>> {
    sqlx::query_as!(
        DeliveryKey,
        r#"
        select distinct on (job_id) job_id, id, body_bytes
        from aftercall.deliveries
        where job_id = any($1) and outcome = 'accepted'
        order by job_id, received_at desc, id desc
        "#,
        jobs as &[JobId],
    )
    .fetch_all(db)
    .await
}
