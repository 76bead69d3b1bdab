//! The memory of the real process while the worst possible bodies arrive, all at once.
use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt as _, future::join_all, stream};
use reqwest::{Body, RequestBuilder};

use super::{Home, Service};
use crate::support::{db::TestDb, fixture};

const MIB: usize = 1 << 20;
/// Settings of this test; see [`bound`].
const MAX_BODY: usize = 16 * MIB;
const MAX_INFLATED: usize = 16 * MIB;
const MEMORY: usize = 64 * MIB;
const UNPROVEN: usize = 8 * MIB;
/// The senders' timeout.
const TIMEOUT: Duration = Duration::from_mins(5);
/// Bodies that fit into memory at once.
const FITTING: usize = 3;
const MAX_VALUES: usize = 100_000;

/// The maximum stated in docs/deployment.md.
const fn bound() -> usize {
    96 * MIB + MEMORY + UNPROVEN + 12 * MAX_INFLATED + 1024 * MAX_VALUES
}

#[derive(Clone)]
struct Hostile {
    name: &'static str,
    is_gzip: bool,
    body: Bytes,
}

fn plain(name: &'static str, body: impl Into<Bytes>) -> Hostile {
    Hostile { name, is_gzip: false, body: body.into() }
}

fn gzip(name: &'static str, bytes: &[u8], times: usize) -> Hostile {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    Hostile { name, is_gzip: true, body: encoder.finish().unwrap().repeat(times).into() }
}

fn response(members: &str) -> String {
    format!(r#"{{"status":"Success","response":{{{members}}}}}"#)
}

/// A list that fills `size` bytes with `item`.
fn list(item: &str, size: usize) -> String {
    format!("[{}{item}]", format!("{item},").repeat(size / (item.len() + 1) - 1))
}

/// Each body breaks a rule, or uses up everything the rules allow.
fn worst() -> Vec<Hostile> {
    let whole = MAX_BODY - 1024;
    let utterance = |text: &str| {
        response(&format!(r#""utteranceInsights":[{{"start":0,"end":1,"text":"{text}"}}]"#))
    };
    let values = |item: &str, size| {
        let name = "n".repeat(200);
        let values = list(item, size);
        response(&format!(r#""conversationalInsights":[{{"name":"{name}","values":{values}}}]"#))
    };
    let in_words = |item: &str, size| {
        let words = list(item, size);
        let members = format!(r#""start":0,"end":1,"text":"","wordTimings":{words}"#);
        response(&format!(r#""utteranceInsights":[{{{members}}}]"#))
    };
    let text = "word ".repeat(whole / 5) + "\\ud800";
    vec![
        plain("digits", vec![b'7'; whole]),
        plain("digits inside", response(&format!(r#""x":{}"#, "7".repeat(whole)))),
        plain("brackets", vec![b'['; whole]),
        plain("NUL", vec![0; whole]),
        plain("no UTF-8", [&vec![b' '; whole - MIB][..], &[0xE2; MIB]].concat()),
        plain("lists", list("[]", whole)),
        plain("objects", response(&format!(r#""x":{}"#, list(r#"{"a":0}"#, whole)))),
        plain("rows", values(r#"{"value":0}"#, 12 * MAX_VALUES / 2 - 1024)),
        plain("words", in_words(r#"{"a":0}"#, 8 * MAX_VALUES / 2 - 1024)),
        gzip("text to mend", utterance(&text).as_bytes(), 1),
        gzip("bomb", &vec![b' '; MIB], 1000),
        gzip("layers", &gzip("", &vec![b' '; MIB], 1000).body, 2),
    ]
}

async fn send(service: &Service, url: &str, hostile: &Hostile) -> (&'static str, u16) {
    let mut request = service.http.post(url).timeout(TIMEOUT).body(hostile.body.clone());
    if hostile.is_gzip {
        request = request.header("content-encoding", "gzip");
    }
    (hostile.name, status(request).await)
}

/// Status of the response; 503 when the connection broke: it was closed while the body was being sent, which may lose
/// the response (RFC 9112, section 9.6).
async fn status(request: RequestBuilder) -> u16 {
    match request.send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(error) if !error.is_timeout() => 503,
        Err(error) => panic!("{error}"),
    }
}

/// Sends a mebibyte, then nothing more.
async fn stall(service: &Service, url: &str) -> u16 {
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; MIB]))]);
    let body = Body::wrap_stream(first.chain(stream::pending()));
    status(service.http.post(url).timeout(TIMEOUT).body(body)).await
}

#[tokio::test]
async fn the_worst_of_bodies_stay_within_the_bound_and_stop_nobody() {
    let db = TestDb::new().await;
    let home = Home::on(&db)
        .set("AFTERCALL__SANDBOX__LATENCY", "10m")
        .set("AFTERCALL__WEBHOOK__MAX_BODY", MAX_BODY.to_string())
        .set("AFTERCALL__WEBHOOK__MAX_INFLATED", MAX_INFLATED.to_string())
        .set("AFTERCALL__WEBHOOK__READ_TIMEOUT", "5s")
        .set("AFTERCALL__INGEST__MEMORY", MEMORY.to_string())
        .set("AFTERCALL__WEBHOOK__UNPROVEN_MEMORY", UNPROVEN.to_string())
        .set("AFTERCALL__INGEST__MAX_VALUES", MAX_VALUES.to_string());
    let service = Service::start(&home).await;
    let worst = worst();
    let urls = service.webhooks(&home, worst.len() + 2).await;
    let (normal, slow) = (&urls[worst.len()], &urls[worst.len() + 1]);
    let each = urls.iter().zip(&worst).map(|(url, hostile)| send(&service, url, hostile));
    let slow = (0..20).map(|_| stall(&service, slow));
    let meanwhile = async {
        let body = fixture("seed/success.json");
        for _ in 0..3 {
            let answer = service.http.post(normal).body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    };
    let (answers, slow, ()) = tokio::join!(join_all(each), join_all(slow), meanwhile);
    assert!(slow.iter().all(|status| [408, 503].contains(status)), "{slow:?}");
    // Stored, or rejected for lack of memory, which is then available on retry.
    assert!(answers.iter().all(|(_, status)| [200, 503].contains(status)), "{answers:?}");
    let again: Vec<_> =
        answers.iter().zip(urls.iter().zip(&worst)).filter(|((_, s), _)| *s == 503).collect();
    for fitting in again.chunks(FITTING) {
        let each = fitting.iter().map(|(_, (url, hostile))| send(&service, url, hostile));
        let answers = join_all(each).await;
        assert!(answers.iter().all(|(_, status)| *status == 200), "{answers:?}");
    }
    let peak = service.process.memory("VmHWM");
    assert!(peak < bound(), "{} of {} MiB", peak / MIB, bound() / MIB);
    service.stop().await.success();
}
