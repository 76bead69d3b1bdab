//! A delivery that is applied without the listener.
use aftercall::{
    deliveries::Delivery,
    jobs::Channel,
    outcome::{Arrival, ParsedDelivery},
};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

/// To the webhook of the job's first attempt.
pub fn arrival(job: Uuid, body: String) -> Arrival {
    let body = Bytes::from(body);
    let reading = ParsedDelivery::of_text(&body).reading;
    let delivery = Delivery {
        job_id: job.into(),
        attempt: 1,
        via: Channel::Webhook,
        headers: serde_json::Map::new(),
        body_sha: Sha256::digest(&body).into(),
        arrived: Instant::now(),
        replay_of: None,
        body,
    };
    Arrival { delivery, expected: None, reading }
}
