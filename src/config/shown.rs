//! The settings in use, as people may see them: secrets are never part of them.
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{Loaded, SettingOrigin};

/// A setting without what is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    pub value: String,
    pub source: String,
}

impl From<&SettingOrigin> for ShownSetting {
    fn from(origin: &SettingOrigin) -> Self {
        Self { value: origin.value.clone(), source: origin.source.clone() }
    }
}

/// Clones share the values, so that all of them see what a reload replaces.
#[derive(Debug, Clone, Default)]
pub struct ShownSettings {
    environment: Arc<str>,
    values: Arc<RwLock<BTreeMap<String, ShownSetting>>>,
}

impl ShownSettings {
    pub(super) fn new(environment: &str, origins: &BTreeMap<String, SettingOrigin>) -> Self {
        let values = origins.iter().map(|(key, origin)| (key.clone(), origin.into()));
        Self { environment: environment.into(), values: Arc::new(RwLock::new(values.collect())) }
    }

    /// `AFTERCALL_ENV`.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    pub fn all(&self) -> BTreeMap<String, ShownSetting> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over these settings, after a reload.
    pub fn replace(&self, keys: &[&str], new: &Loaded) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(origin) = new.origins.get(*key) {
                values.insert((*key).to_owned(), origin.into());
            }
        }
    }
}
