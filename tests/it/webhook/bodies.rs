//! Body encodings and sizes: compressed, chunked, large, too large.
use std::{convert::Infallible, io::Write as _};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use bytesize::ByteSize;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use futures_util::stream;

use super::{assert_acknowledged, seed_success};
use crate::support::{answer::Answer, app::TestApp};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bare_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) async fn deliver_encoded(
    app: &TestApp,
    webhook: &str,
    encoding: &str,
    body: Vec<u8>,
) -> Answer {
    let request = Request::post(webhook).header(header::CONTENT_ENCODING, encoding);
    Answer::of(&app.webhook, request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn compressed_deliveries_are_understood_and_kept_as_sent() {
    let app = TestApp::start().await;
    let plain = seed_success();
    for (encoding, body) in [
        ("gzip", gzip(plain.as_bytes())),
        ("X-GZIP", gzip(plain.as_bytes())),
        ("deflate", zlib(plain.as_bytes())),
        ("deflate", bare_deflate(plain.as_bytes())),
        ("identity", plain.clone().into_bytes()),
    ] {
        let job = app.submitted().await;
        assert_acknowledged(&deliver_encoded(&app, &job.webhook, encoding, body.clone()).await);
        assert_eq!(app.job(job.id).await["state"], "completed", "{encoding}");
        let kept: Vec<u8> =
            sqlx::query_scalar("select body from aftercall.deliveries where job_id = $1")
                .bind(job.id)
                .fetch_one(&app.db.pool)
                .await
                .unwrap();
        assert_eq!(kept, body, "{encoding}");
    }
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    let app = TestApp::start().await;
    for kind in ["text/plain", "application/octet-stream", "\u{e9}"] {
        let job = app.submitted().await;
        let request = Request::post(&job.webhook).header(header::CONTENT_TYPE, kind);
        let request = request.body(seed_success().into()).unwrap();
        assert_acknowledged(&Answer::of(&app.webhook, request).await);
        assert_eq!(app.job(job.id).await["state"], "completed", "{kind}");
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_put_together() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let chunks: Vec<_> = seed_success().into_bytes().chunks(7).map(<[u8]>::to_vec).collect();
    let chunks = stream::iter(chunks.into_iter().map(Ok::<_, Infallible>));
    assert_acknowledged(&app.deliver(&job.webhook, Body::from_stream(chunks)).await);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_setting_says() {
    let app = TestApp::with(|settings| settings.webhook.max_body = ByteSize::kib(64)).await;
    let job = app.submitted().await;
    let body = |size: usize| {
        let gap = " ".repeat(size - seed_success().len());
        seed_success() + &gap
    };
    let refused = app.deliver(&job.webhook, body(64 * 1024 + 1)).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.body.is_empty());
    assert!(app.delivery_outcomes(job.id).await.is_empty());
    assert_acknowledged(&app.deliver(&job.webhook, body(64 * 1024)).await);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn five_mebibytes_are_nothing_special() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let text = "Could you say that again? ".repeat(4000);
    let utterances: Vec<_> = (0..60)
        .map(|i| serde_json::json!({ "start": i, "end": i + 1, "text": text, "speakerId": "0" }))
        .collect();
    let response = serde_json::json!({ "utteranceInsights": utterances });
    let body = serde_json::json!({ "status": "Success", "response": response }).to_string();
    assert!(body.len() > 5 << 20);
    assert_acknowledged(&app.deliver(&job.webhook, body).await);
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    assert_eq!(result["utteranceInsights"], response["utteranceInsights"]);
}

#[tokio::test]
async fn a_gzip_bomb_is_put_aside() {
    let app = TestApp::with(|settings| settings.webhook.max_inflated = ByteSize::mib(1)).await;
    let job = app.submitted().await;
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100 << 10);
    assert_acknowledged(&deliver_encoded(&app, &job.webhook, "gzip", bomb).await);
    assert_eq!(app.delivery_outcomes(job.id).await, ["malformed"]);
    assert_eq!(app.job(job.id).await["state"], "submitted");
}

#[tokio::test]
async fn damaged_and_unknown_encodings_are_put_aside() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let whole = gzip(seed_success().as_bytes());
    let cut = whole[..whole.len() / 2].to_vec();
    for (encoding, body) in [("gzip", cut), ("br", whole.clone()), ("gzip, gzip", whole)] {
        assert_acknowledged(&deliver_encoded(&app, &job.webhook, encoding, body).await);
    }
    // The same bytes with another encoding are the same delivery.
    assert_eq!(app.delivery_outcomes(job.id).await, ["malformed", "malformed", "duplicate"]);
    assert_eq!(app.job(job.id).await["state"], "submitted");
}
