//! Counts unknown tokens by address. An address that sends too many gets 429 without a log line each, and must show a
//! known token before any other work is done for it.
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::http::site;

/// All counts restart after this time.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses counted per window; any further address is treated as part of the flood.
const MOST: usize = 10_000;

#[derive(Debug)]
pub struct UnknownTokenLimiter {
    limit: u32,
    counts: Mutex<TokenCounts>,
}

#[derive(Debug)]
struct TokenCounts {
    since: Instant,
    unknown: HashMap<IpAddr, u32>,
    /// Requests beyond the limits.
    surplus: u64,
}

impl TokenCounts {
    fn new() -> Self {
        Self { since: Instant::now(), unknown: HashMap::new(), surplus: 0 }
    }
}

impl UnknownTokenLimiter {
    /// `limit`: unknown tokens that an address may send per minute.
    pub fn new(limit: u32) -> Self {
        Self { limit, counts: Mutex::new(TokenCounts::new()) }
    }

    /// Whether the address has reached its limit.
    pub fn is_flooding(&self, address: IpAddr) -> bool {
        self.with_count(address, |count, _| count.is_none_or(|count| *count >= self.limit))
    }

    /// Counts one unknown token; returns whether it exceeded the address's limit.
    pub fn is_one_too_many(&self, address: IpAddr) -> bool {
        self.with_count(address, |count, surplus| {
            let is_surplus = count.is_none_or(|count| {
                *count = count.saturating_add(1);
                *count > self.limit
            });
            *surplus += u64::from(is_surplus);
            is_surplus
        })
    }

    /// Calls `look` with the address's count, `None` if there is no room for it, and with the surplus.
    fn with_count<T>(
        &self,
        address: IpAddr,
        look: impl FnOnce(Option<&mut u32>, &mut u64) -> T,
    ) -> T {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.since.elapsed() >= WINDOW {
            let over = std::mem::replace(&mut *counts, TokenCounts::new());
            if over.surplus > 0 {
                tracing::warn!(
                    requests = over.surplus,
                    "requests with unknown tokens rejected with 429"
                );
            }
        }
        let TokenCounts { unknown, surplus, .. } = &mut *counts;
        let (site, room) = (site(address), unknown.len() < MOST);
        match unknown.get_mut(&site) {
            Some(count) => look(Some(count), surplus),
            None if room => look(Some(unknown.entry(site).or_default()), surplus),
            None => look(None, surplus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own_share() {
        let limiter = UnknownTokenLimiter::new(2);
        let (one, other) = (ip("192.0.2.1"), ip("192.0.2.2"));
        assert_eq!([0; 3].map(|_| limiter.is_one_too_many(one)), [false, false, true]);
        assert!(limiter.is_flooding(one));
        assert!(!limiter.is_flooding(other));
        assert!(limiter.is_flooding(ip("::ffff:192.0.2.1")), "the same, as IPv6 writes it");
    }

    #[test]
    fn a_64_of_ipv6_is_one_sender() {
        let limiter = UnknownTokenLimiter::new(1);
        assert!(!limiter.is_one_too_many(ip("2001:db8:1:1::1")));
        assert!(limiter.is_one_too_many(ip("2001:db8:1:1:ffff::2")));
        assert!(!limiter.is_flooding(ip("2001:db8:1:2::1")));
    }

    #[test]
    fn a_flood_from_everywhere_takes_bounded_memory() {
        let limiter = UnknownTokenLimiter::new(1);
        let addresses =
            (0..2 * MOST).map(|n| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()));
        let refused = addresses.filter(|address| limiter.is_one_too_many(*address)).count();
        assert_eq!(refused, MOST);
        assert_eq!(limiter.counts.lock().unwrap().unknown.len(), MOST);
    }
}
