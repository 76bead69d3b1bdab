//! Uploaded recordings, as far as handlers share them.
use tokio::sync::Semaphore;

use super::ApiError;
use crate::{
    config::MediaSettings,
    http::Pace,
    media::{Store, StoreError, WaveformError, Waveforms},
};

/// The store, if there is one, and its limits.
#[derive(Debug)]
pub struct MediaAccess {
    pub settings: MediaSettings,
    pub store: Option<Store>,
    /// Files that are checked at the same time: the headers of each may take memory.
    pub checks: Semaphore,
    pub waveforms: Waveforms,
}

const MOST_CHECKS: usize = 2;

impl MediaAccess {
    pub fn new(settings: MediaSettings, store: Option<Store>, waveforms: Waveforms) -> Self {
        Self { settings, store, checks: Semaphore::new(MOST_CHECKS), waveforms }
    }

    /// # Errors
    /// `media-store-unavailable` if none is configured.
    pub fn store(&self) -> Result<&Store, ApiError> {
        self.store.as_ref().ok_or(ApiError::NoMediaStore)
    }

    /// The minimum speed of clients.
    pub fn pace(&self) -> Pace {
        Pace {
            timeout: self.settings.timeout,
            bytes_a_second: u32::try_from(self.settings.min_rate.as_u64()).unwrap_or(u32::MAX),
            longest: self.settings.max_time,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::MediaStore(error)
    }
}

impl From<WaveformError> for ApiError {
    fn from(error: WaveformError) -> Self {
        match error {
            WaveformError::Store(error) => error.into(),
            WaveformError::Database(error) => error.into(),
            WaveformError::Interrupted => Self::TookTooLong,
        }
    }
}
