//! Reparses stored deliveries in bounded batches, on threads that may block.
use sqlx::PgPool;

use crate::{
    config::TextLimits,
    deliveries::{self, DeliveryKey, Stored},
    outcome::{Interpretation, ParsedDelivery},
    seal::Seal,
};

/// Maximum number of deliveries per transaction.
const BATCH_MAX: usize = 16;
/// Bytes of bodies after which a batch is full; parsing takes a multiple of that in memory.
const BATCH_BYTES: i32 = 1024 * 1024;

/// How many of the first deliveries it takes to reach `bytes` of bodies; all of them if they are
/// fewer.
pub fn fill(keys: &[DeliveryKey], bytes: i32) -> usize {
    let mut sum = 0_i32;
    let full = keys.iter().position(|key| {
        sum = sum.saturating_add(key.body_bytes);
        sum >= bytes
    });
    full.map_or(keys.len(), |last| last + 1)
}

/// Splits deliveries into batches, keeping their order.
pub fn batches(mut keys: &[DeliveryKey]) -> Vec<&[DeliveryKey]> {
    let mut batches = Vec::new();
    while !keys.is_empty() {
        let (batch, rest) = keys.split_at(fill(keys, BATCH_BYTES).min(BATCH_MAX));
        batches.push(batch);
        keys = rest;
    }
    batches
}

/// Parses these deliveries with the current parser.
pub async fn read(
    db: &PgPool,
    seal: &Seal,
    keys: &[DeliveryKey],
    limits: TextLimits,
) -> sqlx::Result<Vec<(Stored, Interpretation)>> {
    let mut read = Vec::with_capacity(keys.len());
    for stored in deliveries::stored(db, seal, keys).await? {
        let (body, encoding) = (stored.body.clone(), stored.encoding().map(str::to_owned));
        let work = move || ParsedDelivery::of_body(&body, encoding.as_deref(), limits).reading;
        let reading = tokio::task::spawn_blocking(work).await;
        let failed = |_| Interpretation::Unreadable("the parser failed".to_owned());
        read.push((stored, reading.unwrap_or_else(failed)));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::jobs::JobId;

    #[test]
    fn batches_are_bounded_by_number_and_bytes() {
        let lengths = |sizes: &[i32]| -> Vec<usize> {
            let key = |&body_bytes| DeliveryKey { job_id: JobId::MIN, id: Uuid::nil(), body_bytes };
            let keys: Vec<DeliveryKey> = sizes.iter().map(key).collect();
            batches(&keys).iter().map(|batch| batch.len()).collect()
        };
        assert!(lengths(&[]).is_empty());
        assert_eq!(lengths(&[0; 40]), [16, 16, 8]);
        assert_eq!(lengths(&[i32::MAX, 1, i32::MAX, BATCH_BYTES - 1, 1, 1]), [1, 2, 2, 1]);
    }
}
