//! How many of a kind may be in hand at once: in all, and of one caller.
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

/// One of them; given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    counted: Arc<Counted>,
    caller_id: Uuid,
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

    pub fn take(&self, caller_id: Uuid) -> Result<Permit, Exhausted> {
        let mut held = self.0.held();
        if held.by_caller.get(&caller_id).is_some_and(|count| *count >= self.0.most_per_caller) {
            return Err(Exhausted::Caller);
        }
        if held.all >= self.0.most {
            return Err(Exhausted::Process);
        }
        held.all += 1;
        *held.by_caller.entry(caller_id).or_default() += 1;
        Ok(Permit { counted: self.0.clone(), caller_id })
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
        held.all -= 1;
        if let Some(count) = held.by_caller.get_mut(&self.caller_id) {
            *count -= 1;
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
        let held = [permits.take(a).unwrap(), permits.take(a).unwrap()];
        assert_eq!(permits.take(a).unwrap_err(), Exhausted::Caller);
        let of_b = permits.take(b).unwrap();
        assert_eq!(permits.take(c).unwrap_err(), Exhausted::Process);
        drop(of_b);
        let of_c = permits.take(c).unwrap();
        drop((held, of_c));
        let held = permits.0.held();
        assert!(held.all == 0 && held.by_caller.is_empty(), "{held:?}");
    }
}
