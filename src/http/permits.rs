//! How much of a kind may be in hand at once: in all, and of one caller.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// Clones share what they count.
#[derive(Debug, Clone)]
pub struct Permits(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    most: usize,
    most_per_caller: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Callers that hold some, and how many.
    by_caller: HashMap<Uuid, usize>,
}

/// Some of them; given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    counted: Arc<Counted>,
    caller_id: Uuid,
    count: usize,
}

/// Whose limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    Caller,
    Process,
}

impl Permits {
    pub fn new(most: usize, most_per_caller: usize) -> Self {
        Self(Arc::new(Counted { most, most_per_caller, held: Mutex::default() }))
    }

    pub fn take(&self, caller_id: Uuid, count: usize) -> Result<Permit, Exhausted> {
        let mut held = self.0.held();
        let of_caller = held.by_caller.get(&caller_id).copied().unwrap_or_default() + count;
        if of_caller > self.0.most_per_caller {
            return Err(Exhausted::Caller);
        }
        if held.all + count > self.0.most {
            return Err(Exhausted::Process);
        }
        held.all += count;
        held.by_caller.insert(caller_id, of_caller);
        Ok(Permit { counted: self.0.clone(), caller_id, count })
    }
}

impl Permit {
    pub fn caller_id(&self) -> Uuid {
        self.caller_id
    }

    pub fn count(&self) -> usize {
        self.count
    }
}

impl Counted {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.counted.held();
        held.all -= self.count;
        if let Some(count) = held.by_caller.get_mut(&self.caller_id) {
            *count -= self.count;
            if *count == 0 {
                held.by_caller.remove(&self.caller_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_leaves_some_to_others_and_nothing_is_kept_of_those_who_left() {
        let permits = Permits::new(3, 2);
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        let held = [permits.take(a, 1).unwrap(), permits.take(a, 1).unwrap()];
        assert_eq!(permits.take(a, 1).unwrap_err(), Exhausted::Caller);
        let of_b = permits.take(b, 1).unwrap();
        assert_eq!(permits.take(c, 1).unwrap_err(), Exhausted::Process);
        drop(of_b);
        let of_c = permits.take(c, 1).unwrap();
        drop((held, of_c));
        assert_eq!(permits.take(a, 3).unwrap_err(), Exhausted::Caller);
        drop(permits.take(a, 2).unwrap());
        let held = permits.0.held();
        assert!(held.all == 0 && held.by_caller.is_empty(), "{held:?}");
    }
}
