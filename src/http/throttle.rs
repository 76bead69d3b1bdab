//! Bounds how many bytes pass in a second.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// One rate, which clones share.
#[derive(Debug, Clone)]
pub struct Throttle {
    bytes_a_second: u64,
    /// When everything that was let through so far is through.
    free_at: Arc<Mutex<Instant>>,
}

impl Throttle {
    pub fn new(bytes_a_second: u64) -> Self {
        Self { bytes_a_second: bytes_a_second.max(1), free_at: Arc::new(Instant::now().into()) }
    }

    /// Returns once these bytes may pass. Those who ask at the same time take turns.
    pub async fn pass(&self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_a_second as f64);
        let until = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let from = (*free_at).max(Instant::now());
            *free_at = from + takes;
            from
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_who_share_it_get_the_rate_together() {
        let (one, since) = (Throttle::new(1000), Instant::now());
        let other = one.clone();
        let pass = async |throttle: Throttle| {
            for _ in 0..5 {
                throttle.pass(1000).await;
            }
        };
        tokio::join!(pass(one), pass(other));
        assert_eq!(since.elapsed(), Duration::from_secs(9), "the first passes at once");
    }
}
