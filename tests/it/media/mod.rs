//! Uploaded recordings, from the upload to the provider.
mod bad_uploads;
mod bucket;
mod fetch;
mod jobs;
mod peaks;
mod removal;
mod stores;

use aftercall::{
    callers::{self, KeyTerms},
    http::hex,
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header, request::Builder},
};
use bytes::Bytes;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::support::{answer::Answer, app::TestApp};

/// A stereo WAV of two seconds.
pub const TONE: &[u8] = include_bytes!("../../fixtures/audio/tone.wav");

/// A caller of the API.
pub struct Client {
    pub api: Router,
    key: String,
}

impl Client {
    pub fn request(&self, method: &str, path: &str) -> Builder {
        let bearer = format!("Bearer {}", self.key);
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer)
    }

    pub async fn ask(&self, request: Builder) -> Answer {
        Answer::of(&self.api, request.body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request("POST", path).header(header::CONTENT_TYPE, "application/json");
        Answer::of(&self.api, request.body(body.to_string().into()).unwrap()).await
    }

    pub async fn upload(&self, bytes: impl Into<Bytes>) -> Answer {
        self.upload_as("audio/wav", bytes).await
    }

    pub async fn upload_as(&self, kind: &str, bytes: impl Into<Bytes>) -> Answer {
        let request = self.request("POST", "/v1/media").header(header::CONTENT_TYPE, kind);
        Answer::of(&self.api, request.body(Body::from(bytes.into())).unwrap()).await
    }
}

impl TestApp {
    pub async fn as_caller(&self, name: &str) -> Client {
        let key = callers::create(&self.db.pool, name, "test", KeyTerms::default()).await.unwrap();
        Client { api: self.api.clone(), key: key.text.expose_secret().to_owned() }
    }

    fn own(&self) -> Client {
        Client { api: self.api.clone(), key: self.key.clone() }
    }

    pub async fn upload(&self, bytes: impl Into<Bytes>) -> Answer {
        self.own().upload(bytes).await
    }

    pub async fn upload_as(&self, kind: &str, bytes: impl Into<Bytes>) -> Answer {
        self.own().upload_as(kind, bytes).await
    }

    /// The id of a recording that was uploaded before, or is now.
    pub async fn uploaded(&self) -> Uuid {
        let answer = self.upload(TONE).await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.id()
    }

    /// Files in the folder of recordings, at any depth.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        let mut folders = vec![self.folder().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

/// A WAV with this header and silence.
pub fn wav(channels: u16, rate: u32, bits: u16, data: usize, claimed: u32) -> Vec<u8> {
    let block = channels * (bits / 8);
    let mut file = b"RIFF".to_vec();
    file.extend((36 + claimed).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for number in [1_u16.to_le_bytes(), channels.to_le_bytes()] {
        file.extend(number);
    }
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    for number in [block.to_le_bytes(), bits.to_le_bytes()] {
        file.extend(number);
    }
    file.extend(b"data");
    file.extend(claimed.to_le_bytes());
    file.resize(file.len() + data, 0);
    file
}

fn sha(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[tokio::test]
async fn an_upload_is_described_from_its_bytes_and_stored_once_per_caller() {
    let app = TestApp::start().await;
    let answer = app.upload(TONE).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let id = answer.id();
    assert_eq!(answer.header("location"), format!("/v1/media/{id}"));
    let view = answer.json();
    assert_eq!(view["sha256"], sha(TONE));
    assert_eq!(view["bytes"], TONE.len());
    let of = |name: &str| view[name].to_string();
    let found = ["encoding", "container", "codec", "channels"].map(of);
    assert_eq!(found, ["\"Wav\"", "\"wav\"", "\"pcm_u8\"", "2"]);
    assert_eq!(view["durationSeconds"], 2.0);

    // The same bytes, as another type and in a form.
    let again = app.upload_as("application/octet-stream", TONE).await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, id));
    let form = [&form_head("call.wav")[..], TONE, b"\r\n--limit--\r\n"].concat();
    let again = app.upload_as("multipart/form-data; boundary=limit", form).await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, id), "{again:?}");
    assert_eq!(app.files().len(), 1);

    // Another caller has a copy of its own.
    let other = app.as_caller("other").await;
    let theirs = other.upload(TONE).await;
    assert_eq!(theirs.status, StatusCode::CREATED);
    assert_ne!(theirs.id(), id);
    let path = format!("/v1/media/{id}");
    other.ask(other.request("GET", &path)).await.problem(404, "media-not-found");
    other.ask(other.request("DELETE", &path)).await.problem(404, "media-not-found");
    assert_eq!(app.get(&path).await.body, TONE);
}

fn form_head(name: &str) -> Vec<u8> {
    let head = format!(
        "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: audio/wav\r\n\r\n"
    );
    head.into_bytes()
}

#[tokio::test]
async fn each_format_that_the_provider_accepts_is_recognized() {
    let app = TestApp::start().await;
    for (file, encoding, codec) in [
        ("tone.wav", "Wav", "pcm_u8"),
        ("mulaw.wav", "Wav", "pcm_mulaw"),
        ("tone.mp3", "Mpeg", "mp3"),
        ("tone.m4a", "Mp4", "aac"),
        ("tone.ogg", "Ogg", "vorbis"),
    ] {
        let path = format!("{}/tests/fixtures/audio/{file}", env!("CARGO_MANIFEST_DIR"));
        // The declared type does not matter.
        let answer = app.upload_as("audio/whatever", std::fs::read(path).unwrap()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{file} {answer:?}");
        let view = answer.json();
        assert_eq!(
            (&view["encoding"], &view["codec"]),
            (&encoding.into(), &codec.into()),
            "{file}"
        );
        assert_eq!(view["channels"], 2, "{file}");
        let seconds = view["durationSeconds"].as_f64().unwrap();
        assert!((seconds - 2.0).abs() < 0.15, "{file}: {seconds}");
    }
    let flac =
        std::fs::read(format!("{}/tests/fixtures/audio/tone.flac", env!("CARGO_MANIFEST_DIR")));
    let problem = app.upload(flac.unwrap()).await.problem(422, "not-audio");
    assert!(problem["detail"].as_str().unwrap().contains("flac"), "{problem}");
}

#[tokio::test]
async fn a_download_has_ranges_tags_and_a_head() {
    let app = TestApp::start().await;
    let id = app.uploaded().await;
    let path = format!("/v1/media/{id}");
    let whole = app.get(&path).await;
    assert_eq!((whole.status, &whole.body[..]), (StatusCode::OK, TONE));
    let etag = format!("\"{}\"", sha(TONE));
    for (name, value) in [
        ("etag", etag.as_str()),
        ("content-type", "audio/wav"),
        ("content-length", &TONE.len().to_string()),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", &format!("attachment; filename=\"{id}.wav\"")),
    ] {
        assert_eq!(whole.header(name), value);
    }
    let head = app.ask(app.request("HEAD", &path)).await;
    assert_eq!(head.header("content-length"), TONE.len().to_string());
    assert!(head.body.is_empty());

    let part = app.ask(app.request("GET", &path).header(header::RANGE, "bytes=4-7")).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &TONE[4..8]));
    assert_eq!(part.header("content-range"), format!("bytes 4-7/{}", TONE.len()));
    let beyond = app.ask(app.request("GET", &path).header(header::RANGE, "bytes=999999999-")).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let known = app.ask(app.request("GET", &path).header(header::IF_NONE_MATCH, etag)).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

/// What is shown of a job.
fn media_of(job: &Value) -> Option<Uuid> {
    job["media"].as_str().map(|id| id.parse().unwrap())
}
