//! Limits how many shares of a resource each holder has at once.
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limit per holder; only holders that have or wait for a share are remembered.
#[derive(Debug)]
pub struct HolderLimit<K: Eq + Hash> {
    most: usize,
    holders: Holders<K>,
}

/// Released on drop.
#[derive(Debug)]
pub struct HolderPermit<K: Eq + Hash> {
    holder: K,
    holders: Holders<K>,
    permit: Option<OwnedSemaphorePermit>,
}

type Holders<K> = Arc<Mutex<HashMap<K, Holder>>>;

#[derive(Debug)]
struct Holder {
    room: Arc<Semaphore>,
    /// Number of shares held or waited for.
    shares: usize,
}

impl<K: Eq + Hash + Copy> HolderLimit<K> {
    pub fn new(most: u32) -> Self {
        Self { most: usize::try_from(most).unwrap_or(usize::MAX), holders: Arc::default() }
    }

    /// `None`: the holder has reached the limit.
    pub fn take(&self, holder: K) -> Option<HolderPermit<K>> {
        let (room, mut share) = self.begin(holder);
        share.permit = Some(room.try_acquire_owned().ok()?);
        Some(share)
    }

    /// Waits while the holder is at the limit.
    pub async fn turn(&self, holder: K) -> HolderPermit<K> {
        let (room, mut share) = self.begin(holder);
        // Never closed.
        share.permit = room.acquire_owned().await.ok();
        share
    }

    fn begin(&self, key: K) -> (Arc<Semaphore>, HolderPermit<K>) {
        let mut holders = locked(&self.holders);
        let most = self.most.min(Semaphore::MAX_PERMITS);
        let holder = holders
            .entry(key)
            .or_insert_with(|| Holder { room: Arc::new(Semaphore::new(most)), shares: 0 });
        holder.shares += 1;
        (
            holder.room.clone(),
            HolderPermit { holder: key, holders: self.holders.clone(), permit: None },
        )
    }
}

impl<K: Eq + Hash> Drop for HolderPermit<K> {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut holders = locked(&self.holders);
        match holders.get_mut(&self.holder) {
            Some(holder) if holder.shares > 1 => holder.shares -= 1,
            _ => {
                holders.remove(&self.holder);
            }
        }
    }
}

fn locked<K>(holders: &Mutex<HashMap<K, Holder>>) -> MutexGuard<'_, HashMap<K, Holder>> {
    holders.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn each_holder_has_its_own_and_is_forgotten_with_the_last() {
        let shares = HolderLimit::new(2);
        let first = [shares.take(1), shares.take(1), shares.take(1)];
        assert_eq!(first.each_ref().map(Option::is_some), [true, true, false]);
        let other = shares.take(2);
        assert!(other.is_some());
        drop(first);
        assert!(shares.take(1).is_some());
        drop(other);
        assert!(locked(&shares.holders).is_empty());
    }

    #[tokio::test]
    async fn who_waits_is_next_and_who_gives_up_is_forgotten() {
        let shares = HolderLimit::new(1);
        let first = shares.take(1).unwrap();
        let mut next = Box::pin(shares.turn(1));
        let gives_up = Box::pin(shares.turn(1));
        assert!((&mut next).now_or_never().is_none());
        drop(gives_up);
        drop(first);
        let next = next.await;
        assert!(shares.take(1).is_none());
        drop(next);
        assert!(locked(&shares.holders).is_empty());
    }
}
