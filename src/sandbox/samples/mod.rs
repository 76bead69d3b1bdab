//! The bundled recording for demos and tests: a support call of 48 s, one speaker per channel.
use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::refusal::Refusal;

/// File names under `/media/`.
pub const RECORDING: &str = "support-call.wav";
const TRANSCRIPT: &str = "support-call.vtt";

/// `GET /media/{file}`; needs no token, since `contentUri` must be fetchable by a plain GET.
pub async fn serve(Path(file): Path<String>) -> Response {
    match file.as_str() {
        RECORDING => {
            let bytes: &'static [u8] = include_bytes!("support-call.wav");
            ([(header::CONTENT_TYPE, "audio/wav")], bytes).into_response()
        }
        TRANSCRIPT => {
            let text = include_str!("support-call.vtt");
            ([(header::CONTENT_TYPE, "text/vtt")], text).into_response()
        }
        _ => Refusal::platform(StatusCode::NOT_FOUND, "CMN-102", "Resource is not found")
            .into_response(),
    }
}
