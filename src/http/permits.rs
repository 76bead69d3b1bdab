//! A counter with two limits: how many permits there are in all, and how many one holder may have.
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Permits by holder, such as a caller's id. Clones share what they count.
#[derive(Debug)]
pub struct Permits<K: Eq + Hash>(Arc<Counted<K>>);

#[derive(Debug)]
struct Counted<K: Eq + Hash> {
    most: usize,
    most_per_holder: usize,
    held: Mutex<Held<K>>,
}

#[derive(Debug)]
struct Held<K: Eq + Hash> {
    all: usize,
    /// Never zero: a holder without permits has no entry.
    by_holder: HashMap<K, usize>,
}

/// One or more permits of one holder; returned when this is dropped.
#[derive(Debug)]
pub struct Permit<K: Eq + Hash + Copy> {
    counted: Arc<Counted<K>>,
    holder: K,
    count: usize,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    Holder,
    All,
}

impl<K: Eq + Hash + Copy> Permits<K> {
    pub fn new(most: usize, most_per_holder: usize) -> Self {
        let held = Mutex::new(Held { all: 0, by_holder: HashMap::new() });
        Self(Arc::new(Counted { most, most_per_holder, held }))
    }

    pub fn take(&self, holder: K, count: usize) -> Result<Permit<K>, Exhausted> {
        let mut held = self.0.held();
        let of_holder = held.by_holder.get(&holder).copied().unwrap_or_default() + count;
        if of_holder > self.0.most_per_holder {
            return Err(Exhausted::Holder);
        }
        if held.all + count > self.0.most {
            return Err(Exhausted::All);
        }
        held.all += count;
        held.by_holder.insert(holder, of_holder);
        Ok(Permit { counted: self.0.clone(), holder, count })
    }
}

impl<K: Eq + Hash> Clone for Permits<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Eq + Hash + Copy> Permit<K> {
    pub fn holder(&self) -> K {
        self.holder
    }

    pub fn count(&self) -> usize {
        self.count
    }
}

impl<K: Eq + Hash> Counted<K> {
    fn held(&self) -> MutexGuard<'_, Held<K>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut held = self.counted.held();
        held.all -= self.count;
        if let Some(count) = held.by_holder.get_mut(&self.holder) {
            *count -= self.count;
            if *count == 0 {
                held.by_holder.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_leaves_some_to_others_and_returned_permits_leave_no_trace() {
        let permits = Permits::new(3, 2);
        let held = [permits.take('a', 1).unwrap(), permits.take('a', 1).unwrap()];
        assert_eq!(permits.take('a', 1).unwrap_err(), Exhausted::Holder);
        let of_b = permits.take('b', 1).unwrap();
        assert_eq!(permits.take('c', 1).unwrap_err(), Exhausted::All);
        drop(of_b);
        let of_c = permits.take('c', 1).unwrap();
        drop((held, of_c));
        assert_eq!(permits.take('a', 3).unwrap_err(), Exhausted::Holder);
        drop(permits.take('a', 2).unwrap());
        let held = permits.0.held();
        assert!(held.all == 0 && held.by_holder.is_empty(), "{held:?}");
    }
}
