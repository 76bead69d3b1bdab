//! The bundled recording for demos and tests: a support call of 48 s, one speaker per channel.
use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    refusal::Refusal,
    transcript::{self, TranscriptCue},
};

/// The recording, a WAV file.
pub const SUPPORT_CALL: &[u8] = include_bytes!("support-call.wav");
const WORDS: &str = include_str!("support-call.vtt");

/// File names under `/media/`.
pub const RECORDING: &str = "support-call.wav";
const TRANSCRIPT: &str = "support-call.vtt";

/// What is said in the bundled recording, if these are its bytes: an upload of it has no transcript beside it.
pub fn words_of(bytes: &[u8]) -> Option<Vec<TranscriptCue>> {
    (bytes == SUPPORT_CALL).then(|| transcript::parse(WORDS)).flatten()
}

/// `GET /media/{file}`; needs no token, since `contentUri` must be fetchable by a plain GET.
pub async fn serve(Path(file): Path<String>) -> Response {
    match file.as_str() {
        RECORDING => ([(header::CONTENT_TYPE, "audio/wav")], SUPPORT_CALL).into_response(),
        TRANSCRIPT => ([(header::CONTENT_TYPE, "text/vtt")], WORDS).into_response(),
        _ => Refusal::platform(StatusCode::NOT_FOUND, "CMN-102", "Resource is not found")
            .into_response(),
    }
}
