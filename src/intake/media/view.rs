//! An uploaded recording as its owner sees it.
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{http::hex, media::Media};

/// An uploaded recording, as found in its bytes.
///
/// Later versions may add members; ignore unknown ones.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "bytes": 8_640_044, "encoding": "Wav", "container": "wav", "codec": "pcm_s16le", "channels": 2,
    "sampleRate": 8000, "durationSeconds": 270.0, "createdAt": "2026-05-01T09:30:00.120Z",
}))]
pub struct MediaView {
    /// For `media` of a job.
    pub id: Uuid,
    /// Of the bytes, in hexadecimal.
    pub sha256: String,
    pub bytes: i64,
    /// What the provider calls the format.
    #[schema(example = "Wav")]
    pub encoding: String,
    #[schema(example = "wav")]
    pub container: String,
    #[schema(example = "pcm_s16le")]
    pub codec: String,
    pub channels: i32,
    /// In Hz.
    pub sample_rate: i32,
    pub duration_seconds: f64,
    pub created_at: DateTime<Utc>,
}

impl From<Media> for MediaView {
    fn from(media: Media) -> Self {
        Self {
            id: media.id,
            sha256: hex(&media.sha256),
            bytes: media.bytes,
            encoding: media.encoding,
            container: media.container,
            codec: media.codec,
            channels: media.channels,
            sample_rate: media.sample_rate,
            duration_seconds: media.duration_seconds,
            created_at: media.created_at,
        }
    }
}
