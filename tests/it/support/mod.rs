//! What the tests share.
pub mod db;
pub mod scratch;
pub mod ward;

use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until there is something to see, and returns it; the only place that waits by the clock.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(since.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
