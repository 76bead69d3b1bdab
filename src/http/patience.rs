//! How long a slow client is waited for while it sends or reads a body.
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Pace;

/// What is left of a client's [`Pace`]: waiting uses it up, and bytes earn it back.
#[derive(Debug)]
pub struct Patience {
    pace: Pace,
    left: Duration,
    until: Instant,
}

/// The client was waited for long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

impl Patience {
    pub fn new(pace: Pace) -> Self {
        Self { pace, left: pace.timeout, until: Instant::now() + pace.longest }
    }

    /// Waits for something that the client has to do.
    pub async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, TooSlow> {
        let since = Instant::now();
        let came = timeout_at(self.until.min(since + self.left), next).await;
        self.left = self.left.saturating_sub(since.elapsed());
        came.map_err(|_| TooSlow)
    }

    /// The client has sent or read this many bytes.
    pub fn earn(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let earned = Duration::from_secs(bytes.into()) / self.pace.bytes_a_second.max(1);
        self.left = (self.left + earned).min(self.pace.timeout);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const PACE: Pace = Pace {
        timeout: Duration::from_secs(10),
        bytes_a_second: 1000,
        longest: Duration::from_mins(1),
    };

    #[tokio::test(start_paused = true)]
    async fn bytes_earn_time_and_silence_uses_it_up() {
        let mut patience = Patience::new(PACE);
        let since = Instant::now();
        for _ in 0..4 {
            let step = tokio::time::sleep(Duration::from_secs(4));
            patience.wait(step).await.unwrap();
            patience.earn(3000);
        }
        // 10 - 4 * 4 + 3 * 3 are left, and then 3 more are earned.
        assert_eq!(patience.wait(pending::<()>()).await, Err(TooSlow));
        assert_eq!(since.elapsed().as_secs(), 16 + 6);
    }

    #[tokio::test(start_paused = true)]
    async fn even_a_fast_client_has_an_end() {
        let mut patience = Patience::new(PACE);
        let since = Instant::now();
        loop {
            let step = tokio::time::sleep(Duration::from_secs(1));
            if patience.wait(step).await.is_err() {
                break;
            }
            patience.earn(1_000_000);
        }
        assert_eq!(since.elapsed(), PACE.longest);
    }
}
