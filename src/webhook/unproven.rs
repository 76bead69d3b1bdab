//! Bodies that are read before their token is verified: ordinary deliveries, small and complete in the first read,
//! whose tokens are looked up with their batch.
//!
//! Nothing here waits, and nothing is rejected: a body that is incomplete after the first read, or for which there is
//! no room, must have its token verified first.
use std::{net::IpAddr, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    body::{self, Body, BodyReader, Limits, ReadError},
    holder_limit::{HolderLimit, HolderPermit},
    memory::MemoryBudget,
};
use crate::{
    config::{IngestSettings, WebhookSettings, bytes},
    deliveries,
    http::site,
    outcome::ParsedDelivery,
};

/// At most one in this many of the deliveries waiting for a batch is unproven.
const QUEUE_SHARE: usize = 2;

/// The limits for all unproven bodies together, and for those of one address.
#[derive(Debug)]
pub struct Unproven {
    largest: usize,
    memory: MemoryBudget,
    places: Arc<Semaphore>,
    unfinished: HolderLimit<IpAddr>,
}

/// How much of a body was read without verification.
#[derive(Debug)]
pub enum Opened {
    Whole(Body, ParsedDelivery),
    /// The rest is read only after verification.
    Partly(BodyReader, Option<HolderPermit<IpAddr>>),
}

impl Unproven {
    pub fn new(webhook: &WebhookSettings, ingest: &IngestSettings) -> Self {
        Self {
            largest: bytes(webhook.unproven_body),
            memory: MemoryBudget::for_unproven(bytes(webhook.unproven_memory)),
            places: Arc::new(Semaphore::new(ingest.queue_max / QUEUE_SHARE)),
            unfinished: HolderLimit::new(webhook.unproven_per_address),
        }
    }

    /// Reads and parses a body as far as is allowed for unverified senders.
    ///
    /// # Errors
    /// When the sender breaks off.
    pub async fn open(
        &self,
        sender: IpAddr,
        encoding: Option<&str>,
        mut reader: BodyReader,
        limits: Limits,
    ) -> Result<Opened, ReadError> {
        let is_small = reader.announced().is_some_and(|bytes| bytes <= self.largest);
        if !is_small || !deliveries::is_plain(encoding) {
            return Ok(Opened::Partly(reader, None));
        }
        let (Some(share), Some(place)) = (self.unfinished.take(site(sender)), self.place()) else {
            return Ok(Opened::Partly(reader, None));
        };
        match reader.at_hand(&self.memory).await {
            Ok(true) => drop(share),
            Ok(false) | Err(ReadError::OverBudget) => {
                return Ok(Opened::Partly(reader, Some(share)));
            }
            Err(error) => return Err(error),
        }
        let mut body = reader.whole();
        match body::understand(&mut body, encoding, limits, &self.memory).await {
            Ok(understood) => Ok(Opened::Whole(body.in_place(place), understood)),
            Err(_) => Ok(Opened::Partly(BodyReader::from(body), None)),
        }
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }
}
