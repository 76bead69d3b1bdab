//! Uploaded recordings: a row each, and their bytes in a store.
//!
//! The row comes first, so that nothing in the store is without one: [`keep`] inserts it, puts the object, and marks the
//! row as stored. Whatever is interrupted on the way is a row that nobody sees, which [`due_for_removal`] finds. Likewise,
//! a removal marks the row, then deletes the object, then the row.
mod expiry;
mod keep;
mod peaks;
mod read;
mod source;
mod spool;
mod store;
mod waveforms;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::audio::Container;

pub use expiry::{
    RemovableMedia, Removal, count_due, due_for_removal, expire, forget, overdue, remove,
};
pub use keep::{KeepError, Kept, NewMedia, keep};
pub use peaks::{StoredPeaks, claim_peaks, find_peaks};
pub use read::{find, find_for_caller, held_bytes, lock_for_job};
pub use spool::{Spool, Spooled};
pub use store::{Store, StoreError, usual_folder};
pub use waveforms::{WaveformError, Waveforms};

/// A recording that is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Media {
    pub id: Uuid,
    pub caller_id: Uuid,
    pub sha256: Vec<u8>,
    pub bytes: i64,
    /// As the provider calls it.
    pub encoding: String,
    pub container: String,
    pub codec: String,
    pub channels: i32,
    /// In Hz.
    pub sample_rate: i32,
    pub duration_seconds: f64,
    pub created_at: DateTime<Utc>,
}

impl Media {
    pub fn length(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or_default()
    }

    /// Media type and file extension.
    pub fn file_type(&self) -> (&'static str, &'static str) {
        match self.container.as_str() {
            "wav" => ("audio/wav", "wav"),
            "mp3" => ("audio/mpeg", "mp3"),
            "adts" => ("audio/aac", "aac"),
            "ogg" => ("audio/ogg", "ogg"),
            "mp4" => ("audio/mp4", "m4a"),
            "webm" => ("audio/webm", "webm"),
            _ => ("application/octet-stream", "bin"),
        }
    }
}

/// What the provider calls the encoding of files of this kind; `None` if it accepts none.
pub fn encoding(container: Container) -> Option<&'static str> {
    match container {
        Container::Wav => Some("Wav"),
        Container::Mp3 => Some("Mpeg"),
        Container::Adts => Some("Aac"),
        Container::Ogg => Some("Ogg"),
        Container::Mp4 => Some("Mp4"),
        Container::WebM => Some("Webm"),
        Container::Flac | Container::Matroska => None,
    }
}
