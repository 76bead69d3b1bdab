//! Rate limits: of each API key, and of each address that sends requests without a valid one.
//!
//! Each process enforces its part: the limit divided by the number of processes that serve the API.
use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ApiError;
use crate::{
    callers::{Caller, Replicas},
    config::KeysSettings,
    http::{Gcra, Left, Quota, site},
};

/// draft-ietf-httpapi-ratelimit-headers-11.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Lookups of keys at one time for addresses that have sent too many unknown ones. Their other requests wait, so that
/// a flood takes one database connection; a valid key among them is still found.
const FLOOD_LOOKUPS: usize = 1;

/// Clones share what was used.
#[derive(Debug, Clone)]
pub struct RateLimits(Arc<Limits>);

#[derive(Debug)]
struct Limits {
    keys: Gcra<String>,
    addresses: Gcra<IpAddr>,
    /// Of a key that has no rate of its own.
    of_key: Policy,
    of_address: Policy,
    replicas: Replicas,
    flood_lookups: Semaphore,
}

/// A limit across all processes.
#[derive(Debug, Clone)]
struct Policy {
    name: &'static str,
    quota: Quota,
    header: HeaderValue,
}

impl Policy {
    fn new(name: &'static str, limit: u32, window: Duration) -> Self {
        let text = format!("\"{name}\";q={limit};w={}", window.as_secs());
        // Always ASCII.
        let header = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { name, quota: Quota { limit, window }, header }
    }
}

/// What a request's key, or its address, has left; shown in the response.
#[derive(Debug)]
pub struct Standing {
    policy: Policy,
    left: Left,
}

impl RateLimits {
    pub fn new(of: &KeysSettings, replicas: Replicas) -> Self {
        Self(Arc::new(Limits {
            keys: Gcra::default(),
            addresses: Gcra::default(),
            of_key: Policy::new("default", of.rate_limit, of.rate_window),
            of_address: Policy::new("unknown-keys", of.unknown_keys, Duration::from_mins(1)),
            replicas,
            flood_lookups: Semaphore::new(FLOOD_LOOKUPS),
        }))
    }

    /// Charges a request to its key.
    pub(super) fn charge_key(&self, caller: &Caller, weight: u32) -> Standing {
        let default = &self.0.of_key;
        let policy = match caller.rate {
            Some(rate) => Policy::new(default.name, rate, default.quota.window),
            None => default.clone(),
        };
        let left = self.0.keys.take(caller.key_id.as_str(), weight, self.part_of(policy.quota));
        Standing { policy, left }
    }

    /// Charges a request without a valid key to its address; a weight of 0 only looks.
    pub(super) fn charge_address(&self, address: IpAddr, weight: u32) -> Standing {
        let policy = self.0.of_address.clone();
        let left = self.0.addresses.take(&site(address), weight, self.part_of(policy.quota));
        Standing { policy, left }
    }

    /// Waits for its turn if the address has sent too many unknown keys.
    pub async fn lookup(&self, address: IpAddr) -> Option<SemaphorePermit<'_>> {
        let is_flooding = self.charge_address(address, 0).left.remaining == 0;
        if is_flooding { self.0.flood_lookups.acquire().await.ok() } else { None }
    }

    fn part_of(&self, quota: Quota) -> Quota {
        Quota { limit: quota.limit.div_ceil(self.0.replicas.count()), ..quota }
    }
}

impl Standing {
    /// # Errors
    /// `rate-limited` (429) if there was not enough left.
    pub fn check(&self) -> Result<(), ApiError> {
        if self.left.retry_in.is_zero() {
            return Ok(());
        }
        let Quota { limit, window } = self.policy.quota;
        Err(ApiError::RateLimited { limit, window, retry_after: seconds(self.left.retry_in) })
    }

    /// Adds the fields `RateLimit-Policy` and `RateLimit` to the headers of the response.
    pub fn show(&self, headers: &mut HeaderMap) {
        let (name, Left { remaining, full_in, .. }) = (self.policy.name, self.left);
        let state = format!("\"{name}\";r={remaining};t={}", seconds(full_in));
        headers.insert(POLICY, self.policy.header.clone());
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert(STATE, state);
        }
    }
}

/// Rounded up: a client that waits this long has waited long enough.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
