//! Bodies of requests, read only as far as there is memory for what becomes of them.
use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use uuid::Uuid;

use super::{
    ApiError,
    permits::{Exhausted, Permit, Permits},
};
use crate::{
    config::{ApiSettings, bytes},
    json,
};

/// Unit in which memory is counted.
const PAGE: usize = 4096;
/// A body takes its own size so many times at most: as a tree, as the parameter of a statement, and as
/// the message to the database, of which the last two lie in buffers that double as they grow; and once
/// more until the allocator has given back what the one before it left.
const COPIES: usize = 6;
/// Each of its values takes up to this much in the tree.
const VALUE_BYTES: usize = 1024;
/// What takes no more than this is small: it finds room however many large ones there are.
const SMALL: usize = 256 * 1024;
/// Of all memory, one part in so many is for small ones.
const SMALL_SHARE: usize = 8;

/// The memory for all bodies in hand. Clones share it.
#[derive(Debug, Clone)]
pub struct Bodies {
    longest: usize,
    max_values: usize,
    small: Pool,
    large: Pool,
}

#[derive(Debug, Clone)]
struct Pool {
    pages: Permits,
    /// What is larger than that has all of it to itself.
    most_per_caller: usize,
}

/// Memory that is given back when this is dropped.
#[derive(Debug, Default)]
pub struct Held(Option<Permit>);

impl Bodies {
    pub fn new(of: &ApiSettings) -> Self {
        let (memory, per_caller) = (bytes(of.memory), bytes(of.memory_per_caller));
        let [small, small_per_caller] = [memory, per_caller].map(|all| all / SMALL_SHARE);
        Self {
            longest: bytes(of.max_body),
            max_values: of.max_values,
            small: Pool::new(small, small_per_caller),
            large: Pool::new(memory - small, per_caller - small_per_caller),
        }
    }

    /// The whole body, and the memory for all that is made of it.
    ///
    /// # Errors
    /// When it is too large, ends early, holds too many values, or there is no memory for it now: for
    /// this caller (429), or for anybody (503).
    pub async fn read(&self, caller_id: Uuid, mut body: Body) -> Result<(Bytes, Held), ApiError> {
        let announced = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let announced = announced.unwrap_or_default();
        if announced > self.longest {
            return Err(ApiError::BodyTooLarge);
        }
        // All of it at once: of many that come together some are taken, instead of none being whole.
        let mut held = self.hold(caller_id, announced * COPIES)?;
        // Only what is written to takes memory.
        let mut whole = BytesMut::with_capacity(announced);
        while let Some(frame) = body.frame().await {
            let lost = || ApiError::MalformedBody("the body ended before it was complete".into());
            let Ok(data) = frame.map_err(|_| lost())?.into_data() else { continue };
            let size = whole.len() + data.len();
            if size > self.longest {
                return Err(ApiError::BodyTooLarge);
            }
            if size > announced {
                self.grow(&mut held, caller_id, size * COPIES)?;
            }
            whole.extend_from_slice(&data);
        }
        // Counted first: each takes a multiple of its text once it is parsed.
        if json::has_more_values(&whole, self.max_values) {
            return Err(ApiError::TooManyValues(self.max_values));
        }
        let values = json::values_at_most(&whole).min(self.max_values);
        self.grow(&mut held, caller_id, whole.len() * COPIES + values * VALUE_BYTES)?;
        Ok((whole.freeze(), held))
    }

    fn hold(&self, caller_id: Uuid, bytes: usize) -> Result<Held, ApiError> {
        let pool = if bytes <= SMALL { &self.small } else { &self.large };
        let pages = bytes.div_ceil(PAGE).min(pool.most_per_caller);
        match pool.pages.take(caller_id, pages) {
            Ok(permit) => Ok(Held(Some(permit))),
            Err(Exhausted::Caller) => Err(ApiError::CallerMemory),
            Err(Exhausted::Process) => Err(ApiError::OverBudget),
        }
    }

    /// Makes sure that `held` suffices for `bytes`.
    fn grow(&self, held: &mut Held, caller_id: Uuid, bytes: usize) -> Result<(), ApiError> {
        let pages = held.0.as_ref().map_or(0, Permit::count);
        if bytes.div_ceil(PAGE) <= pages {
            return Ok(());
        }
        // Given back first: it may be all there is.
        held.0 = None;
        *held = self.hold(caller_id, bytes)?;
        Ok(())
    }
}

impl Pool {
    fn new(bytes: usize, per_caller: usize) -> Self {
        let [pages, most_per_caller] = [bytes, per_caller].map(|all| all / PAGE);
        Self { pages: Permits::new(pages, most_per_caller), most_per_caller }
    }
}
