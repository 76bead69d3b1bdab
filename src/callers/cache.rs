//! Callers that were authenticated a moment ago, so that a busy one costs one look-up a second.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use super::Caller;

/// A revoked or expired key may be honoured this much longer, by a process that has just seen it.
const TRUST: Duration = Duration::from_secs(1);
/// Keys remembered; with more than this in a second some are looked up more often.
const MOST: usize = 1024;

/// By the SHA-256 of the whole key.
type Seen = HashMap<[u8; 32], (Instant, Caller)>;

/// Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct KeyCache(Arc<Mutex<Seen>>);

impl KeyCache {
    pub fn recall(&self, key: &str) -> Option<Caller> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, caller) = known.get::<[u8; 32]>(&Sha256::digest(key).into())?;
        (since.elapsed() < TRUST).then(|| caller.clone())
    }

    /// `asked` is when the look-up began: what it found may have ended since.
    pub fn remember(&self, key: &str, caller: &Caller, asked: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(Sha256::digest(key).into(), (asked, caller.clone()));
    }
}
