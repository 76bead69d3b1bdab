//! The body of a delivery: read within bounds, its compression undone, its text understood.
use axum::body::{Body as Incoming, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::memory::{Memory, NoRoom, SMALL_BYTES, Taken};
use crate::{
    config::TextLimits,
    deliveries::{self, Undecodable},
    json,
    outcome::Understood,
};

/// Told when there was a bug.
const FAILED: &str = "the parser failed";

/// Most bytes of a delivery as sent, and what may be made of it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub raw: usize,
    pub text: TextLimits,
}

/// A body and the memory it is counted for.
#[derive(Debug)]
pub struct Body {
    pub bytes: Bytes,
    /// SHA-256 of `bytes`, once they were understood.
    pub sha: [u8; 32],
    _memory: Taken,
    /// For what was made of it, until it is stored.
    parsed: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    TooLarge,
    NoRoom,
    /// The sender went away, or broke the protocol, before the body was complete.
    Lost,
}

impl From<NoRoom> for ReadError {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// Reads at most `limits.raw` bytes, as far as there is memory for them.
pub async fn read(mut body: Incoming, limits: Limits, memory: &Memory) -> Result<Body, ReadError> {
    // Only what is written to takes memory: it is counted below, as it comes.
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    if announced.is_some_and(|bytes| bytes > limits.raw) {
        return Err(ReadError::TooLarge);
    }
    let mut whole = BytesMut::with_capacity(announced.unwrap_or_default());
    let mut taken = Taken::default();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ReadError::Lost)?.into_data() else { continue };
        if whole.len() + data.len() > limits.raw {
            return Err(ReadError::TooLarge);
        }
        memory.grow(&mut taken, whole.len() + data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(Body { bytes: whole.freeze(), sha: [0; 32], _memory: taken, parsed: None })
}

/// Makes sense of a body, and its digest. What cannot be understood is a reading as well; it fails only
/// for want of memory.
pub async fn understand(
    body: &mut Body,
    encoding: Option<String>,
    limits: Limits,
    memory: &Memory,
) -> Result<Understood, NoRoom> {
    let bytes = body.bytes.clone();
    // Small and plain: parsed right here; anything else on a thread that may block.
    let is_small = bytes.len() <= SMALL_BYTES && deliveries::is_plain(encoding.as_deref());
    let (sha, text) = if is_small {
        let values = json::values_at_most(&bytes);
        (Sha256::digest(&bytes).into(), Ok((bytes, Taken::default(), values)))
    } else {
        let budget = memory.clone();
        let work = move || {
            let mut taken = Taken::default();
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
    // The text's memory is counted for until it was parsed.
    let (text, _taken, values) = match text {
        Ok(counted) => counted,
        Err(Undecodable::Damaged(why)) => return Ok(Understood::unreadable(why)),
        Err(Undecodable::NoRoom) => return Err(NoRoom),
    };
    if values > limits.text.values {
        return Ok(Understood::too_many(limits.text.values));
    }
    body.parsed = memory.parsed(text.len(), values).await;
    if is_small {
        return Ok(Understood::of_text(&text));
    }
    let parsed = memory.run(move || Understood::of_text(&text)).await;
    Ok(parsed.unwrap_or_else(|| Understood::unreadable(FAILED.into())))
}
