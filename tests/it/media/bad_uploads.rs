//! Uploads that are refused, and what is left of them: nothing.
use std::time::Duration;

use axum::{body::Body, http::header};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::oneshot;

use super::{TONE, form_head, wav};
use crate::support::{answer::Answer, app::TestApp, eventually, soon};

async fn assert_nothing(app: &TestApp) {
    assert_eq!(app.count("select count(*) from aftercall.media").await, 0);
    // A spool's thread deletes its file after the response.
    eventually("the spool is empty", async || app.files().is_empty().then_some(())).await;
}

#[tokio::test]
async fn what_is_no_audio_is_named() {
    let app = TestApp::start().await;
    let hundred_hours = wav(1, 1, 8, 360_000, 360_000);
    for (bytes, found) in [
        (Bytes::new(), "empty"),
        (Bytes::from_static(b"PK\x03\x04\x14\0\0\0\x08\0 a zip named call.wav"), "a ZIP archive"),
        (Bytes::from_static(b"<!doctype html><title>404</title>"), "HTML"),
        (Bytes::from_static(b"{\"error\":\"expired\"}"), "JSON"),
        (Bytes::from_static(b"hello"), "text"),
        (wav(0, 8000, 16, 1000, 1000).into(), "0 channels"),
        (wav(1, 8000, 16, 0, 0).into(), "no sound"),
        (TONE[..40].into(), "damaged"),
        (hundred_hours.into(), "360000 s"),
    ] {
        let problem = app.upload(bytes).await.problem(422, "not-audio");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(found), "{detail}");
    }
    assert_nothing(&app).await;
}

#[tokio::test]
async fn a_header_that_claims_more_than_there_is_does_not_lengthen_the_recording() {
    let app = TestApp::start().await;
    let view = app.upload(wav(1, 8000, 16, 16_000, u32::MAX - 36)).await.json();
    let seconds = view["durationSeconds"].as_f64().unwrap();
    assert!((seconds - 1.0).abs() < 0.01, "{seconds}");
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_too_large_leaves_nothing() {
    let app =
        TestApp::with(|settings| settings.media.max_size = bytesize::ByteSize::kib(200)).await;
    let broken = stream::iter([
        Ok(Bytes::from_static(&TONE[..1000])),
        Err(std::io::Error::other("the connection is gone")),
    ]);
    send(&app, Body::from_stream(broken)).await.problem(400, "malformed-body");

    let cut = [&form_head("a.wav")[..], &TONE[..1000]].concat();
    let problem = app.upload_as("multipart/form-data; boundary=limit", cut).await;
    problem.problem(400, "malformed-body");
    let small = wav(1, 8000, 16, 1000, 1000);
    let two = [
        &form_head("a.wav")[..],
        &small,
        b"\r\n",
        &form_head("b.wav")[..],
        &small,
        b"\r\n--limit--\r\n",
    ]
    .concat();
    let two = app.upload_as("multipart/form-data; boundary=limit", two).await;
    let problem = two.problem(400, "malformed-body");
    assert!(problem["detail"].as_str().unwrap().contains("exactly one part"), "{problem}");

    let large = wav(1, 8000, 16, 300_000, 300_000);
    app.upload(large.clone()).await.problem(413, "body-too-large");
    // The same without a length that says so.
    let chunks: Vec<_> =
        large.chunks(1000).map(Bytes::copy_from_slice).map(Ok::<_, std::io::Error>).collect();
    send(&app, Body::from_stream(stream::iter(chunks))).await.problem(413, "body-too-large");
    assert_nothing(&app).await;
}

#[tokio::test]
async fn headers_of_a_form_that_never_end_take_no_memory() {
    let app = TestApp::start().await;
    let endless =
        stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 64 * 1024])));
    let start = stream::iter([Ok(Bytes::from_static(b"--limit\r\nContent-Disposition: "))]);
    let request = app
        .request("POST", "/v1/media")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=limit")
        .body(Body::from_stream(start.chain(endless)))
        .unwrap();
    let problem = Answer::of(&app.api, request).await.problem(400, "malformed-body");
    assert!(problem["detail"].as_str().unwrap().contains("besides the file"), "{problem}");
}

#[tokio::test]
async fn a_sender_that_is_too_slow_is_cut_off() {
    let app = TestApp::with(|settings| settings.media.timeout = Duration::from_secs(1)).await;
    let silent = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(&TONE[..1000]))])
        .chain(stream::pending());
    send(&app, Body::from_stream(silent)).await.problem(408, "body-too-slow");
    assert_nothing(&app).await;
}

#[tokio::test]
async fn other_types_and_compressed_bodies_are_refused() {
    let app = TestApp::start().await;
    for kind in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        app.upload_as(kind, TONE).await.problem(415, "unsupported-media-type");
    }
    let request = app.request("POST", "/v1/media").header(header::CONTENT_ENCODING, "gzip");
    let answer = Answer::of(&app.api, request.body(Body::from(TONE)).unwrap()).await;
    answer.problem(415, "unsupported-media-type");
    app.upload_as("multipart/form-data", TONE).await.problem(400, "malformed-body");
    assert_nothing(&app).await;
}

#[tokio::test]
async fn a_caller_has_a_quota_and_a_process_a_number_of_transfers() {
    let app = TestApp::with(|settings| {
        settings.media.max_size = bytesize::ByteSize::mib(1);
        settings.media.caller_bytes = bytesize::ByteSize::mib(1);
        settings.media.max_transfers = 2;
        settings.media.max_transfers_per_caller = 1;
    })
    .await;
    let other = app.as_caller("other").await;
    let mut held = Vec::new();
    for caller in [&app.own(), &other] {
        let (begun, begins) = oneshot::channel();
        let first = stream::once(async {
            begun.send(()).unwrap();
            Ok::<_, std::io::Error>(Bytes::new())
        });
        let body = Body::from_stream(first.chain(stream::pending()));
        let (api, request) = (caller.api.clone(), caller.request("POST", "/v1/media"));
        let request = request.body(body).unwrap();
        held.push(tokio::spawn(async move { Answer::of(&api, request).await }));
        soon("the upload begins", begins).await.unwrap();
        caller.upload(TONE).await.problem(429, "caller-limit");
    }
    let third = app.as_caller("third").await;
    third.upload(TONE).await.problem(503, "too-many-transfers");
    for upload in held {
        upload.abort();
    }
    eventually("places are free", async || (third.upload(TONE).await.status == 201).then_some(()))
        .await;

    let mut stored = 0;
    let full = loop {
        let answer = third.upload(wav(1, 8000, 16, 200_000 + stored * 2, 200_000)).await;
        if answer.status != 201 {
            break answer;
        }
        stored += 1;
    };
    let problem = full.problem(413, "media-quota");
    assert!(problem["detail"].as_str().unwrap().contains("media.caller_bytes"), "{problem}");
    assert!((1..6).contains(&stored), "{stored}");
}

async fn send(app: &TestApp, body: Body) -> Answer {
    let request = app.request("POST", "/v1/media").header(header::CONTENT_TYPE, "audio/wav");
    Answer::of(&app.api, request.body(body).unwrap()).await
}
