//! Reads request bodies, within a memory budget that also covers what is made of them.
use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::ApiError;
use crate::{
    callers::CallerId,
    config::{ApiSettings, bytes},
    http::{Exhausted, Permit, Permits},
    json,
};

/// Unit in which memory is counted.
const PAGE: usize = 4096;
/// Maximum number of copies of a body at one time: its bytes, the parsed tree, the statement's parameter and the
/// message to the database. The last two are in buffers that double as they grow, and one more copy allows for what the
/// allocator has yet to return from the previous body.
const COPIES: usize = 6;
/// Maximum memory of one value in the parsed tree.
const VALUE_BYTES: usize = 1024;
/// Up to this, a body is small. Small bodies have a pool of their own, so that large ones cannot
/// crowd them out.
const SMALL: usize = 256 * 1024;
/// One part in this many of all memory is the pool for small bodies.
const SMALL_SHARE: usize = 8;

/// The memory for all bodies in progress. Clones share it.
#[derive(Debug, Clone)]
pub struct Bodies {
    longest: usize,
    max_values: usize,
    small: BodyPool,
    large: BodyPool,
}

/// Keyed by caller; requests whose caller is unknown share one limit.
type Pages = Permits<Option<CallerId>>;

#[derive(Debug, Clone)]
struct BodyPool {
    pages: Pages,
    /// A body that needs more than this may still be read: it takes all of it.
    most_per_caller: usize,
}

/// Memory that is returned when this is dropped.
#[derive(Debug, Default)]
pub struct BodyMemory(Option<Permit<Option<CallerId>>>);

impl Bodies {
    pub fn new(of: &ApiSettings) -> Self {
        let (memory, per_caller) = (bytes(of.memory), bytes(of.memory_per_caller));
        let [small, small_per_caller] = [memory, per_caller].map(|all| all / SMALL_SHARE);
        Self {
            longest: bytes(of.max_body),
            max_values: of.max_values,
            small: BodyPool::new(small, small_per_caller),
            large: BodyPool::new(memory - small, per_caller - small_per_caller),
        }
    }

    /// Reads the whole body and reserves memory for everything derived from it.
    ///
    /// # Errors
    /// When the body is too large, ends early or holds too many values, or when there is no memory for it
    /// now: none left to this caller (429), or none at all (503).
    pub async fn read(
        &self,
        caller_id: Option<CallerId>,
        mut body: Body,
    ) -> Result<(Bytes, BodyMemory), ApiError> {
        let announced = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let announced = announced.unwrap_or_default();
        if announced > self.longest {
            return Err(ApiError::BodyTooLarge);
        }
        // Reserved in full up front: of many concurrent bodies some are read, instead of none being completed.
        let mut held = self.hold(caller_id, announced * COPIES)?;
        // Pages that are not written to take no memory.
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
        // Counted before parsing: a parsed value takes a multiple of its text.
        if json::has_more_values(&whole, self.max_values) {
            return Err(ApiError::TooManyValues(self.max_values));
        }
        let values = json::values_at_most(&whole).min(self.max_values);
        self.grow(&mut held, caller_id, whole.len() * COPIES + values * VALUE_BYTES)?;
        Ok((whole.freeze(), held))
    }

    fn hold(&self, caller_id: Option<CallerId>, bytes: usize) -> Result<BodyMemory, ApiError> {
        let pool = if bytes <= SMALL { &self.small } else { &self.large };
        let pages = bytes.div_ceil(PAGE).min(pool.most_per_caller);
        match pool.pages.take(caller_id, pages) {
            Ok(permit) => Ok(BodyMemory(Some(permit))),
            Err(Exhausted::Holder) => Err(ApiError::CallerMemory),
            Err(Exhausted::All) => Err(ApiError::OverBudget),
        }
    }

    /// Makes sure that `held` suffices for `bytes`.
    fn grow(
        &self,
        held: &mut BodyMemory,
        caller_id: Option<CallerId>,
        bytes: usize,
    ) -> Result<(), ApiError> {
        let pages = held.0.as_ref().map_or(0, Permit::count);
        if bytes.div_ceil(PAGE) <= pages {
            return Ok(());
        }
        // Returned first: the limit may leave room for one of the two only.
        held.0 = None;
        *held = self.hold(caller_id, bytes)?;
        Ok(())
    }
}

impl BodyPool {
    fn new(bytes: usize, per_caller: usize) -> Self {
        let [pages, most_per_caller] = [bytes, per_caller].map(|all| all / PAGE);
        Self { pages: Permits::new(pages, most_per_caller), most_per_caller }
    }
}
