//! The body of a delivery: reads it within limits, decompresses it and parses it.
use std::{future::poll_fn, pin::Pin, task::Poll};

use axum::body::{Body as Incoming, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    holder_limit::HolderPermit,
    memory::{MemoryBudget, OverBudget, SMALL_BYTES, TakenMemory},
};
use crate::{
    config::TextLimits,
    deliveries::{self, Undecodable},
    json,
    outcome::ParsedDelivery,
};

/// The reason reported in case of a bug.
const FAILED: &str = "the parser failed";
/// How often to check a connection for data without waiting.
const LOOKS: u32 = 2;

/// Maximum size of a delivery as sent, and the limits for parsing it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub raw: usize,
    pub text: TextLimits,
}

/// A body and the memory reserved for it.
#[derive(Debug)]
pub struct Body {
    pub bytes: Bytes,
    /// SHA-256 of `bytes`, once they were parsed.
    pub sha: [u8; 32],
    _memory: TakenMemory,
    /// Memory for the parsed result, until it is stored.
    parsed: Option<OwnedSemaphorePermit>,
    /// Its place among the unproven deliveries that wait for a batch.
    _place: Option<OwnedSemaphorePermit>,
    /// Its place among the bodies with the same token.
    _share: Option<HolderPermit<[u8; 32]>>,
}

impl Body {
    pub fn in_place(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }

    pub fn within(self, share: HolderPermit<[u8; 32]>) -> Self {
        Self { _share: Some(share), ..self }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    TooLarge,
    OverBudget,
    /// The sender disconnected, or broke the protocol, before the body was complete.
    Lost,
    /// The sender has a valid token but sends too slowly.
    TooSlow,
}

impl From<OverBudget> for ReadError {
    fn from(_: OverBudget) -> Self {
        Self::OverBudget
    }
}

/// A body that is being received.
#[derive(Debug)]
pub struct BodyReader {
    rest: Incoming,
    so_far: BytesMut,
    announced: Option<usize>,
    memory: TakenMemory,
}

impl BodyReader {
    pub fn new(rest: Incoming) -> Self {
        let announced = rest.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        Self { rest, so_far: BytesMut::new(), announced, memory: TakenMemory::default() }
    }

    /// Its length, if announced.
    pub fn announced(&self) -> Option<usize> {
        self.announced
    }

    /// Reads the data that has already arrived; returns whether that is the whole body.
    pub async fn at_hand(&mut self, memory: &MemoryBudget) -> Result<bool, ReadError> {
        let Some(announced) = self.announced else { return Ok(false) };
        memory.grow(&mut self.memory, announced)?;
        self.so_far.reserve(announced);
        let mut looks = LOOKS;
        while self.so_far.len() < announced {
            let look = poll_fn(|context| Poll::Ready(Pin::new(&mut self.rest).poll_frame(context)));
            match look.await {
                Poll::Ready(Some(frame)) => {
                    let data = frame.map_err(|_| ReadError::Lost)?.into_data().unwrap_or_default();
                    self.so_far.extend_from_slice(&data);
                    looks = LOOKS;
                }
                Poll::Ready(None) => break,
                Poll::Pending if looks == 0 => return Ok(false),
                // Lets the connection read more, if there is anything.
                Poll::Pending => {
                    looks -= 1;
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(true)
    }

    /// Reads at most `most` bytes, as far as there is memory; all of them count toward `memory`.
    pub async fn read_all(mut self, most: usize, memory: &MemoryBudget) -> Result<Body, ReadError> {
        if self.announced.is_some_and(|bytes| bytes > most) {
            return Err(ReadError::TooLarge);
        }
        let mut taken = TakenMemory::default();
        memory.grow(&mut taken, self.so_far.len())?;
        self.memory = taken;
        // Memory is only used when written to, so it is counted as data arrives.
        let missing = self.announced.map(|bytes| bytes.saturating_sub(self.so_far.len()));
        self.so_far.reserve(missing.unwrap_or_default());
        while let Some(frame) = self.rest.frame().await {
            let Ok(data) = frame.map_err(|_| ReadError::Lost)?.into_data() else { continue };
            if self.so_far.len() + data.len() > most {
                return Err(ReadError::TooLarge);
            }
            memory.grow(&mut self.memory, self.so_far.len() + data.len())?;
            self.so_far.extend_from_slice(&data);
        }
        Ok(self.whole())
    }

    /// Call when the whole body has been read.
    pub fn whole(self) -> Body {
        let bytes = self.so_far.freeze();
        Body { bytes, sha: [0; 32], _memory: self.memory, parsed: None, _place: None, _share: None }
    }
}

/// Turns a body back into a reader: complete, but not parsed.
impl From<Body> for BodyReader {
    fn from(body: Body) -> Self {
        let announced = Some(body.bytes.len());
        let Body { bytes, _memory: memory, .. } = body;
        Self { rest: Incoming::empty(), so_far: bytes.into(), announced, memory }
    }
}

/// Parses a body and computes its digest. An unparsable body is an interpretation too; this fails only for lack of
/// memory.
pub async fn understand(
    body: &mut Body,
    encoding: Option<&str>,
    limits: Limits,
    memory: &MemoryBudget,
) -> Result<ParsedDelivery, OverBudget> {
    let bytes = body.bytes.clone();
    // Small and uncompressed bodies are parsed right here, others on a thread that may block.
    let is_small = bytes.len() <= SMALL_BYTES && deliveries::is_plain(encoding);
    let (sha, text) = if is_small {
        let values = json::values_at_most(&bytes);
        (Sha256::digest(&bytes).into(), Ok((bytes, TakenMemory::default(), values)))
    } else {
        let (budget, encoding) = (memory.clone(), encoding.map(str::to_owned));
        let work = move || {
            let mut taken = TakenMemory::default();
            let has_room = |bytes| budget.grow(&mut taken, bytes).is_ok();
            let encoding = encoding.as_deref();
            let text = deliveries::decoded(&bytes, encoding, limits.text.inflated, has_room);
            let counted = text.map(|text| {
                let values = json::values_at_most(&text);
                (text, taken, values)
            });
            (Sha256::digest(&bytes).into(), counted)
        };
        let failed =
            || (Sha256::digest(&body.bytes).into(), Err(Undecodable::Damaged(FAILED.into())));
        memory.run(work).await.unwrap_or_else(failed)
    };
    body.sha = sha;
    // The text's memory stays reserved until it was parsed.
    let (text, _taken, values) = match text {
        Ok(counted) => counted,
        Err(Undecodable::Damaged(why)) => return Ok(ParsedDelivery::unreadable(why)),
        Err(Undecodable::OverBudget) => return Err(OverBudget),
    };
    if values > limits.text.values {
        return Ok(ParsedDelivery::too_many(limits.text.values));
    }
    body.parsed = Some(memory.parsed(text.len(), values).await?);
    if is_small {
        return Ok(ParsedDelivery::of_text(&text));
    }
    let parsed = memory.run(move || ParsedDelivery::of_text(&text)).await;
    Ok(parsed.unwrap_or_else(|| ParsedDelivery::unreadable(FAILED.into())))
}
