//! Keys used by long-running requests, which end soon after their key is revoked or expires.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::supervise;

/// Cheap, since one statement checks all keys, and a revoked key is noticed within seconds.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// By key id: how many requests watch it, and the token that ends them.
type Watched = HashMap<String, (usize, CancellationToken)>;

/// Clones share the keys.
#[derive(Debug, Clone, Default)]
pub struct KeyWatch(Arc<Mutex<Watched>>);

/// A key that is watched until this is dropped.
#[derive(Debug)]
pub struct WatchedKey {
    watch: KeyWatch,
    id: String,
    ended: CancellationToken,
}

impl KeyWatch {
    pub fn key(&self, id: &str) -> WatchedKey {
        let mut watched = self.watched();
        let (count, ended) = watched.entry(id.to_owned()).or_default();
        *count += 1;
        WatchedKey { watch: self.clone(), id: id.to_owned(), ended: ended.clone() }
    }

    /// Checks the watched keys until `stop` is canceled.
    pub async fn run(self, db: PgPool, stop: CancellationToken) -> supervise::TaskResult {
        while stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_some() {
            let ids: Vec<String> = self.watched().keys().cloned().collect();
            if ids.is_empty() {
                continue;
            }
            match super::keys::ended(&db, &ids).await {
                Ok(ended) => {
                    let watched = self.watched();
                    ended.iter().filter_map(|id| watched.get(id)).for_each(|(_, end)| end.cancel());
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "keys not looked at");
                }
            }
        }
        Ok(())
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WatchedKey {
    /// Completes once the key is revoked or has expired.
    pub fn ended(&self) -> WaitForCancellationFuture<'_> {
        self.ended.cancelled()
    }
}

impl Drop for WatchedKey {
    fn drop(&mut self) {
        let mut watched = self.watch.watched();
        if let Some((count, _)) = watched.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                watched.remove(&self.id);
            }
        }
    }
}
