//! The cached token: when to replace it, and which caller fetches the new one.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::TokenError;

/// Fraction of its lifetime after which a token is replaced.
const REFRESH_AT: f64 = 0.9;
/// Pause after a failed early refresh, while the cached token is still valid.
const EARLY_PAUSE: Duration = Duration::from_secs(30);
/// Pause after a 429 without `Retry-After`: the penalty of the provider's rate group `Auth`.
const PENALTY: Duration = Duration::from_mins(1);

/// A token with its serial number, so that a newer token is not invalidated in its place.
#[derive(Clone)]
pub(in crate::provider) struct AccessToken {
    secret: SecretString,
    serial: u64,
}

impl AccessToken {
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

/// A new token from the endpoint; `lifetime` counts from when it was requested.
pub(super) struct Grant {
    pub token: SecretString,
    pub lifetime: Duration,
}

#[derive(Default)]
pub(super) struct Cache {
    /// Locked during a fetch: callers that wait for the lock wait for that token.
    state: Mutex<CacheState>,
    /// Completed fetches, successful or not.
    rounds: AtomicU64,
}

#[derive(Default)]
struct CacheState {
    held: Option<HeldToken>,
    serial: u64,
    failure: Option<TokenError>,
    quiet_until: Option<Instant>,
}

struct HeldToken {
    token: AccessToken,
    refresh_at: Instant,
    expires_at: Instant,
}

impl Cache {
    /// The cached token, or the result of `fetch`, which is polled only when the cached one will
    /// not do.
    pub async fn current(
        &self,
        fetch: impl Future<Output = Result<Grant, TokenError>>,
    ) -> Result<AccessToken, TokenError> {
        let seen = self.rounds.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        let asked_at = Instant::now();
        if let Some(held) = state.held.as_ref().filter(|held| asked_at < held.refresh_at) {
            return Ok(held.token.clone());
        }
        // If a fetch failed while this call waited for it, the failure is this call's too.
        if self.rounds.load(Ordering::SeqCst) != seen
            && let Some(failure) = state.failure.clone()
        {
            return state.still_valid(asked_at).ok_or(failure);
        }
        if let Some(until) = state.quiet_until.filter(|until| asked_at < *until) {
            let retry_after = Some(until - asked_at);
            return state.still_valid(asked_at).ok_or(TokenError::Throttled { retry_after });
        }
        let outcome = fetch.await;
        self.rounds.fetch_add(1, Ordering::SeqCst);
        match outcome {
            Ok(grant) => Ok(state.hold(grant, asked_at)),
            Err(failure) => state.fail(failure),
        }
    }

    pub async fn invalidate(&self, token: &AccessToken) {
        let mut state = self.state.lock().await;
        state.held.take_if(|held| held.token.serial == token.serial);
    }

    /// Discards the token, whichever it is.
    pub async fn forget(&self) {
        self.state.lock().await.held = None;
    }
}

impl CacheState {
    fn still_valid(&self, now: Instant) -> Option<AccessToken> {
        self.held.as_ref().filter(|held| now < held.expires_at).map(|held| held.token.clone())
    }

    fn hold(&mut self, grant: Grant, asked_at: Instant) -> AccessToken {
        self.serial += 1;
        self.failure = None;
        self.quiet_until = None;
        let token = AccessToken { secret: grant.token, serial: self.serial };
        self.held = Some(HeldToken {
            token: token.clone(),
            refresh_at: asked_at + grant.lifetime.mul_f64(REFRESH_AT),
            expires_at: asked_at + grant.lifetime,
        });
        token
    }

    /// Refreshes happen early, so a failed one costs nothing while the cached token is valid.
    fn fail(&mut self, failure: TokenError) -> Result<AccessToken, TokenError> {
        let now = Instant::now();
        if let TokenError::Throttled { retry_after } = &failure {
            self.quiet_until = Some(now + retry_after.unwrap_or(PENALTY));
        }
        self.failure = Some(failure.clone());
        let Some(token) = self.still_valid(now) else {
            self.held = None;
            return Err(failure);
        };
        tracing::warn!(error = %failure, "early token refresh failed, using the held token");
        if let Some(held) = &mut self.held {
            held.refresh_at = now + EARLY_PAUSE;
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, poll_fn, ready};
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    type Fetched = Result<Grant, TokenError>;

    fn granted(token: &str) -> Ready<Fetched> {
        ready(Ok(Grant { token: token.into(), lifetime: HOUR }))
    }

    fn never() -> impl Future<Output = Fetched> {
        poll_fn(|_| panic!("nobody should have asked for a token"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_kept_until_nine_tenths_of_its_life() {
        let cache = Cache::default();
        cache.current(granted("one")).await.unwrap();
        advance(HOUR.mul_f64(0.89)).await;
        assert_eq!(cache.current(never()).await.unwrap().expose(), "one");
        advance(HOUR.mul_f64(0.02)).await;
        assert_eq!(cache.current(granted("two")).await.unwrap().expose(), "two");
    }

    #[tokio::test(start_paused = true)]
    async fn many_waiters_share_one_fetch_and_its_failure() {
        let cache = Cache::default();
        let fetches = AtomicUsize::new(0);
        let slow = async |outcome: Ready<Fetched>| {
            fetches.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_secs(1)).await;
            outcome.await
        };
        let failed = (0..20).map(|_| cache.current(slow(ready(Err(TokenError::Unreadable)))));
        assert!(join_all(failed).await.iter().all(Result::is_err));
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
        let granted = (0..20).map(|_| cache.current(slow(granted("one"))));
        assert!(join_all(granted).await.iter().all(Result::is_ok));
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_fetch_leaves_the_next_caller_free_to_ask() {
        let cache = Cache::default();
        let stuck = cache.current(std::future::pending());
        assert!(tokio::time::timeout(Duration::from_secs(1), stuck).await.is_err());
        assert_eq!(cache.current(granted("one")).await.unwrap().expose(), "one");
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_token_that_was_refused_is_forgotten() {
        let cache = Cache::default();
        let old = cache.current(granted("old")).await.unwrap();
        cache.invalidate(&old).await;
        cache.current(granted("new")).await.unwrap();
        cache.invalidate(&old).await;
        assert_eq!(cache.current(never()).await.unwrap().expose(), "new");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_early_refresh_falls_back_to_the_held_token_until_it_expires() {
        let cache = Cache::default();
        cache.current(granted("one")).await.unwrap();
        advance(HOUR.mul_f64(0.95)).await;
        let failing = async { Err(TokenError::Unreadable) };
        assert_eq!(cache.current(failing).await.unwrap().expose(), "one");
        assert_eq!(cache.current(never()).await.unwrap().expose(), "one");
        advance(HOUR.mul_f64(0.06)).await;
        let failing = async { Err(TokenError::Unreadable) };
        assert!(matches!(cache.current(failing).await, Err(TokenError::Unreadable)));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_asked_during_the_penalty_of_a_429() {
        let cache = Cache::default();
        let throttled = async { Err(TokenError::Throttled { retry_after: None }) };
        assert!(cache.current(throttled).await.is_err());
        advance(Duration::from_secs(20)).await;
        let Err(TokenError::Throttled { retry_after }) = cache.current(never()).await else {
            panic!("should still be throttled")
        };
        assert_eq!(retry_after, Some(Duration::from_secs(40)));
        advance(Duration::from_secs(41)).await;
        assert!(cache.current(granted("one")).await.is_ok());
    }
}
