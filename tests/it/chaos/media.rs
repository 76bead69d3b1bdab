//! Short recordings, all different: each has its own transcript or its own length.
use axum::{
    Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const SAMPLE_RATE: u32 = 8000;
/// Silence before and after the speech.
const MARGIN_MS: u32 = 100;

/// Serves `/calls/<number>.wav` and the transcript beside it; returns the base URL.
pub async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/calls", listener.local_addr().unwrap());
    let app = Router::new().route("/calls/{file}", get(file));
    tokio::spawn(async move { axum::serve(listener, app).await });
    base
}

async fn file(Path(file): Path<String>) -> Response {
    let Some((number, kind)) = file.split_once('.') else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match (number.parse::<u32>(), kind) {
        (Ok(_), "wav") => wav(1000).into_response(),
        (Ok(call), "vtt") => transcript(call).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Faults of the successive submissions of some calls, by call number modulo [`SCRIPTED`]: attempts with the same end
/// are reported with the same bytes, and only ever through the webhook.
const SCRIPTS: [(u32, &str); 4] = [
    // Its caller retries it, and the retry fails with the same bytes.
    (3, "no-job-id,fail"),
    // The failure of the first attempt arrives during the second, which then fails with the same bytes.
    (5, "no-job-id,reset,late,fail;no-job-id,late,fail;no-job-id"),
    // The success of the first arrives after the second has failed; the caller's retry makes a third, which succeeds
    // with the same bytes.
    (11, "no-job-id,reset,late;no-job-id,fail;no-job-id"),
    // The result is never delivered.
    (13, "no-job-id,lost"),
];
const SCRIPTED: u32 = 16;

/// The submission of a call: one in eight has inline content, with a unique length.
pub fn request(base: &str, call: u32) -> Value {
    let mut request = json!({
        "encoding": "Wav",
        "externalId": format!("call-{call}"),
        "enableWordTimings": call.is_multiple_of(3),
    });
    if call % 8 == 7 {
        request["content"] = json!(BASE64_STANDARD.encode(wav(700 + 10 * (call / 8))));
    } else {
        let script = SCRIPTS.iter().find(|(number, _)| call % SCRIPTED == *number);
        let query =
            script.map_or_else(String::new, |(_, faults)| format!("?sandbox-faults={faults}"));
        request["contentUri"] = json!(format!("{base}/{call}.wav{query}"));
    }
    request
}

/// Cues of two speakers that fit into one second.
fn transcript(call: u32) -> String {
    let mut text = "WEBVTT\n".to_owned();
    for cue in 0..2 + call % 4 {
        let speaker = ["Ana", "Ben"][usize::from(cue % 2 == 1)];
        let (start, end) = (100 + 150 * cue, 240 + 150 * cue);
        let line = match cue {
            0 => format!("Is order {call} on its way? I will wait for parcel {call}."),
            1 => {
                format!("Parcel {call} left depot {}. Please send the form for {call}.", call % 97)
            }
            _ => format!("Note {cue} about order {call}: depot {} is great.", call % 89),
        };
        let times = format!("00:00.{start:03} --> 00:00.{end:03}");
        text.extend(["\n", &times, "\n<v ", speaker, ">", &line, "\n"]);
    }
    text
}

/// A tone between two silences: RIFF, 16-bit PCM, one channel.
fn wav(milliseconds: u32) -> Vec<u8> {
    let samples_in = |ms: u32| ms * SAMPLE_RATE / 1000;
    let (length, margin) = (samples_in(milliseconds), samples_in(MARGIN_MS));
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + 2 * length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes()); // PCM
    file.extend(1_u16.to_le_bytes()); // channels
    file.extend(SAMPLE_RATE.to_le_bytes());
    file.extend((2 * SAMPLE_RATE).to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend((2 * length).to_le_bytes());
    for n in 0..length {
        let is_speech = (margin..length - margin).contains(&n);
        // A square wave of 200 Hz.
        let level: i16 = if n / 20 % 2 == 0 { 9000 } else { -9000 };
        file.extend(if is_speech { level } else { 0 }.to_le_bytes());
    }
    file
}
