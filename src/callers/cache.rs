//! Recently authenticated keys and sessions, so that a busy caller costs one lookup per second.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use super::Caller;

/// How much longer a revoked or expired key may be accepted by a process that has just seen it.
const TRUST: Duration = Duration::from_secs(1);
/// Maximum number of cached ones; beyond it some are looked up more often.
const MOST: usize = 1024;

/// By the SHA-256 of the whole key, or of the session's cookie.
type Seen = HashMap<[u8; 32], (Instant, Caller)>;

/// Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct KeyCache(Arc<Mutex<Seen>>);

impl KeyCache {
    pub fn recall(&self, key: &str) -> Option<Caller> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, caller) = known.get::<[u8; 32]>(&Sha256::digest(key).into())?;
        (since.elapsed() < TRUST).then(|| caller.clone())
    }

    /// `asked` is when the lookup began: the key may have been revoked since.
    pub fn remember(&self, key: &str, caller: &Caller, asked: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(Sha256::digest(key).into(), (asked, caller.clone()));
    }
}
