//! Helpers shared by the tests.
pub mod answer;
pub mod app;
pub mod arrival;
pub mod db;
mod declared;
pub mod exposition;
pub mod manual;
pub mod otlp;
pub mod provider;
pub mod random;
pub mod scratch;
pub mod seed;
pub mod tls;
pub mod ward;

use std::time::{Duration, Instant};

use serde_json::Value;

/// Polling interval, and timeout.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub look_every: Duration,
    pub timeout: Duration,
}

const USUAL: Pace = Pace { look_every: Duration::from_millis(5), timeout: Duration::from_mins(1) };

/// Polls `look` until it returns something.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_at(USUAL, what, look).await
}

/// The same with another pace; the only place in the tests that waits by the clock.
pub async fn eventually_at<T>(
    pace: Pace,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let since = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(since.elapsed() < pace.timeout, "waited {:?} in vain: {what}", pace.timeout);
        tokio::time::sleep(pace.look_every).await;
    }
}

/// Awaits `expected`, but not forever.
pub async fn soon<T>(what: &str, expected: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(USUAL.timeout, expected).await;
    came.unwrap_or_else(|_| panic!("waited {:?} in vain: {what}", USUAL.timeout))
}

/// A file from `tests/fixtures`.
pub fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// `value` with `…` in place of members that differ each time.
pub fn without(mut value: Value, pointers: &[&str]) -> Value {
    for pointer in pointers {
        *value.pointer_mut(pointer).unwrap() = "…".into();
    }
    value
}
