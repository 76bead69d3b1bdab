//! The provider's rate limit: a sliding window, and a penalty that each further request restarts.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::refusal::Refusal;
use crate::provider::wire;

/// The limiter of one rate group for one user and app.
#[derive(Debug)]
pub struct Limiter {
    group: &'static str,
    limit: u32,
    window: Duration,
    penalty: Duration,
    admitted: VecDeque<Instant>,
    blocked_until: Option<Instant>,
}

/// The state of the group after a request, for the headers of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateState {
    group: &'static str,
    limit: u32,
    window: Duration,
    pub remaining: u32,
    /// Set when the request is rejected.
    pub retry_after: Option<Duration>,
}

impl Limiter {
    pub fn new(group: &'static str, limit: u32, window: Duration, penalty: Duration) -> Self {
        Self { group, limit, window, penalty, admitted: VecDeque::new(), blocked_until: None }
    }

    /// Counts a request at `now`, which must not be earlier than in previous calls.
    pub fn admit(&mut self, now: Instant) -> RateState {
        if self.blocked_until.is_some_and(|until| now < until) {
            return self.punish(now);
        }
        self.blocked_until = None;
        while self.admitted.front().is_some_and(|at| now.duration_since(*at) >= self.window) {
            self.admitted.pop_front();
        }
        let used = u32::try_from(self.admitted.len()).unwrap_or(u32::MAX);
        if used >= self.limit {
            return self.punish(now);
        }
        self.admitted.push_back(now);
        self.standing(self.limit - used - 1, None)
    }

    /// Starts or restarts the penalty.
    pub fn punish(&mut self, now: Instant) -> RateState {
        self.blocked_until = Some(now + self.penalty);
        self.standing(0, Some(self.penalty))
    }

    fn standing(&self, remaining: u32, retry_after: Option<Duration>) -> RateState {
        let Self { group, limit, window, .. } = *self;
        RateState { group, limit, window, remaining, retry_after }
    }
}

impl RateState {
    /// Adds only missing headers, so that a handler's own 429 keeps its values.
    pub fn write(self, headers: &mut HeaderMap) {
        let numbers = [
            (wire::RATE_LIMIT, u64::from(self.limit)),
            (wire::RATE_REMAINING, u64::from(self.remaining)),
            (wire::RATE_WINDOW, seconds(self.window)),
        ];
        for (name, number) in numbers {
            headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from(number));
        }
        headers
            .entry(HeaderName::from_static(wire::RATE_GROUP))
            .or_insert(HeaderValue::from_static(self.group));
        if let Some(wait) = self.retry_after {
            headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from(seconds(wait)));
        }
    }

    /// The response to a request beyond the limit.
    pub fn refusal() -> Refusal {
        Refusal::platform(StatusCode::TOO_MANY_REQUESTS, "CMN-301", "Request rate exceeded")
    }
}

/// Whole seconds, rounded up so that clients do not retry too early.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_window_slides() {
        let mut limiter = Limiter::new("heavy", 2, 10 * SECOND, 30 * SECOND);
        let start = Instant::now();
        assert_eq!(limiter.admit(start).remaining, 1);
        assert_eq!(limiter.admit(start + 6 * SECOND).remaining, 0);
        let third = limiter.admit(start + 10 * SECOND);
        assert_eq!((third.remaining, third.retry_after), (0, None));
    }

    #[test]
    fn one_too_many_starts_a_penalty_that_each_request_restarts() {
        let mut limiter = Limiter::new("heavy", 1, SECOND, 30 * SECOND);
        let start = Instant::now();
        limiter.admit(start);
        assert_eq!(limiter.admit(start).retry_after, Some(30 * SECOND));
        assert_eq!(limiter.admit(start + 29 * SECOND).retry_after, Some(30 * SECOND));
        assert!(limiter.admit(start + 31 * SECOND).retry_after.is_some(), "restarted at 29 s");
        assert_eq!(limiter.admit(start + 61 * SECOND).retry_after, None);
    }

    #[test]
    fn waits_are_told_in_whole_seconds_rounded_up() {
        assert_eq!(seconds(Duration::from_millis(200)), 1);
        assert_eq!(seconds(2 * SECOND), 2);
    }
}
