//! Keeps the values of labels few.
use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

/// Callers with series of their own; those that come later share one.
const MOST_CALLERS: usize = 100;
const OTHER: &str = "other";

#[derive(Debug, Default)]
pub struct CallerNames(RwLock<HashSet<String>>);

impl CallerNames {
    /// The caller's name, or `other` if too many have come before.
    pub fn label(&self, name: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains(name) {
            return name.to_owned();
        }
        let is_full = known.len() >= MOST_CALLERS;
        drop(known);
        if is_full {
            return OTHER.to_owned();
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_CALLERS && !known.contains(name) {
            return OTHER.to_owned();
        }
        known.insert(name.to_owned());
        name.to_owned()
    }
}

/// The status of a response, or `none`; one that HTTP does not define could be any number.
pub fn status(status: Option<u16>) -> String {
    match status {
        None => super::NONE.to_owned(),
        Some(status @ 100..600) => status.to_string(),
        Some(_) => "_OTHER".to_owned(),
    }
}
