//! The body of a delivery: read within bounds, its compression undone, its text understood.
use std::sync::Arc;

use axum::body::{Body as Incoming, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::outcome::Reading;

/// A plain body up to this is parsed where it is; any other on a thread that may block.
const INLINE_BYTES: usize = 64 * 1024;
/// Unit in which memory is counted.
const PAGE: usize = 4096;

/// Most bytes of a delivery, as sent and once its compression is undone.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub raw: usize,
    pub inflated: usize,
}

/// Bytes of bodies that may be parsed and not yet stored, beyond the small ones: what is parsed takes
/// a multiple of its body. The rest waits as it came.
const PARSED_BYTES: usize = 4 * 1024 * 1024;

/// Memory for all deliveries in hand.
#[derive(Debug, Clone)]
pub struct Memory {
    bodies: Arc<Semaphore>,
    parsed: Arc<Semaphore>,
    /// More parsers at once than processors would only hold more memory.
    parsers: Arc<Semaphore>,
}

impl Memory {
    pub fn new(bytes: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            bodies: Arc::new(Semaphore::new((bytes / PAGE).min(Semaphore::MAX_PERMITS))),
            parsed: Arc::new(Semaphore::new(PARSED_BYTES / PAGE)),
            parsers: Arc::new(Semaphore::new(processors)),
        }
    }

    /// `None` when there is no room for that many bytes more.
    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pages = u32::try_from(bytes.div_ceil(PAGE)).ok()?;
        self.bodies.clone().try_acquire_many_owned(pages).ok()
    }
}

/// A body and the memory it is counted for.
#[derive(Debug)]
pub struct Body {
    pub bytes: Bytes,
    /// SHA-256 of `bytes`, once they were understood.
    pub sha: [u8; 32],
    _memory: Option<OwnedSemaphorePermit>,
    /// For what was made of it, until it is stored.
    parsed: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    TooLarge,
    /// All memory for bodies is in use.
    NoRoom,
    /// The sender went away, or broke the protocol, before the body was complete.
    Lost,
}

/// Reads at most `limits.raw` bytes, as far as there is memory for them.
pub async fn read(mut body: Incoming, limits: Limits, memory: &Memory) -> Result<Body, ReadError> {
    // Only what is written to takes memory: it is counted below, as it comes.
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    if announced.is_some_and(|bytes| bytes > limits.raw) {
        return Err(ReadError::TooLarge);
    }
    let mut whole = BytesMut::with_capacity(announced.unwrap_or_default());
    let mut taken: Option<OwnedSemaphorePermit> = None;
    let mut room = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ReadError::Lost)?.into_data() else { continue };
        if whole.len() + data.len() > limits.raw {
            return Err(ReadError::TooLarge);
        }
        if whole.len() + data.len() > room {
            let more = memory.take(data.len()).ok_or(ReadError::NoRoom)?;
            room += data.len().div_ceil(PAGE) * PAGE;
            match &mut taken {
                Some(taken) => taken.merge(more),
                None => taken = Some(more),
            }
        }
        whole.extend_from_slice(&data);
    }
    Ok(Body { bytes: whole.freeze(), sha: [0; 32], _memory: taken, parsed: None })
}

/// What a body says, and its digest. Never fails: what cannot be understood is a reading as well.
pub async fn understand(
    body: &mut Body,
    encoding: Option<String>,
    limits: Limits,
    memory: &Memory,
) -> Reading {
    let bytes = body.bytes.clone();
    if bytes.len() <= INLINE_BYTES && encoding.is_none() {
        body.sha = Sha256::digest(&bytes).into();
        return Reading::of_body(&bytes, None, limits.inflated);
    }
    let pages = u32::try_from(bytes.len().div_ceil(PAGE).min(PARSED_BYTES / PAGE));
    // Neither semaphore is ever closed.
    body.parsed = memory.parsed.clone().acquire_many_owned(pages.unwrap_or(1)).await.ok();
    let parser = memory.parsers.acquire().await;
    let work = move || {
        let sha: [u8; 32] = Sha256::digest(&bytes).into();
        (Reading::of_body(&bytes, encoding.as_deref(), limits.inflated), sha)
    };
    let done = tokio::task::spawn_blocking(work).await;
    drop(parser);
    let failed = |_| {
        let sha = Sha256::digest(&body.bytes).into();
        (Reading::Unreadable("the parser failed".to_owned()), sha)
    };
    let (reading, sha) = done.unwrap_or_else(failed);
    body.sha = sha;
    reading
}
