//! How many of something each holder has at once.
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// As many as each holder may have; only who has one is remembered.
#[derive(Debug)]
pub struct Shares<K: Eq + Hash> {
    most: u32,
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

/// Given back when this is dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash> {
    holder: K,
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

impl<K: Eq + Hash + Copy> Shares<K> {
    pub fn new(most: u32) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// `None`: the holder has as many as it may.
    pub fn take(&self, holder: K) -> Option<Share<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&holder).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        taken.insert(holder, count + 1);
        Some(Share { holder, taken: self.taken.clone() })
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.holder) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holder_has_its_own_and_is_forgotten_with_the_last() {
        let shares = Shares::new(2);
        let first = [shares.take(1), shares.take(1), shares.take(1)];
        assert_eq!(first.each_ref().map(Option::is_some), [true, true, false]);
        let other = shares.take(2);
        assert!(other.is_some());
        drop(first);
        assert!(shares.take(1).is_some());
        drop(other);
        assert!(shares.taken.lock().unwrap().is_empty());
    }
}
