//! Hostile bodies: their cost is bounded and their content set aside, and slow senders are cut off, while all others
//! are served.
use std::{convert::Infallible, io::Write as _, time::Duration};

use axum::{body::Body, http::StatusCode};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt as _, future::join_all, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_acknowledged, bodies::deliver_encoded, seed_success};
use crate::support::app::TestApp;

/// A result with these members.
fn success(response: &Value) -> String {
    json!({ "status": "Success", "response": response }).to_string()
}

/// Why the job's last delivery was set aside.
async fn reason(app: &TestApp, id: Uuid) -> String {
    let query =
        "select reason from aftercall.deliveries where job_id = $1 order by id desc limit 1";
    sqlx::query_scalar(query).bind(id).fetch_one(&app.db.pool).await.unwrap()
}

#[tokio::test]
async fn what_is_no_json_is_put_aside_with_the_reason() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let nested = |open: &str, close: &str| open.repeat(200_000) + &close.repeat(200_000);
    let wrapped = |inner: String| format!(r#"{{"status":"Success","response":{{"x":{inner}}}}}"#);
    for (body, why) in [
        (nested("[", "]").into_bytes(), "deeper"),
        (nested("{\"a\":", "").into_bytes(), "deeper"),
        (wrapped(nested("[", "]")).into_bytes(), "deeper"),
        (vec![b'7'; 1 << 20], "not an object"),
        (vec![0; 1 << 20], "not JSON at byte 0"),
        (vec![0xFF; 1 << 20], "too many encoding errors"),
        (vec![b'"'; 1 << 20], "not JSON"),
        (vec![b'\\'; 1 << 20], "not JSON"),
        (seed_success().as_bytes()[..300].to_vec(), "ends in the middle"),
    ] {
        assert_acknowledged(&app.deliver(&job.webhook, body).await);
        let told = reason(&app, job.id).await;
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(app.job(job.id).await["state"], "submitted");
    assert_acknowledged(&app.deliver(&job.webhook, seed_success()).await);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn odd_bytes_cost_no_more_than_themselves() {
    let app = TestApp::start().await;
    let utterance = |text: &[u8]| {
        let start = br#"{"status":"Success","status":"Success","response":{"a":1,"a":2,
            "utteranceInsights":[{"start":1,"start":0,"end":1,"text":""#;
        [&start[..], text, br#""}]}}"#].concat()
    };
    for (text, kept) in [
        (&b"a\\u0000b"[..], "a\u{FFFD}b"),
        (b"a\xE2\x82", "a\u{FFFD}"),
        (b"\xF0\x9F\x98\xF0\x9F\x98\x80", "\u{FFFD}\u{1F600}"),
        (b"\\ud83d\\ude00\\ude00\\ud83d", "\u{1F600}\u{FFFD}\u{FFFD}"),
        (b"\xEF\xBB\xBF\xED\xA0\x80", "\u{FEFF}\u{FFFD}\u{FFFD}\u{FFFD}"),
    ] {
        let job = app.submitted().await;
        assert_acknowledged(&app.deliver(&job.webhook, utterance(text)).await);
        let page = app.get(&format!("/v1/jobs/{}/utterances", job.id)).await.json();
        let read = json!({ "text": page["data"][0]["text"], "start": page["data"][0]["start"] });
        assert_eq!(read, json!({ "text": kept, "start": 0.0 }));
    }
}

#[tokio::test]
async fn json_of_too_many_values_is_put_aside_unread() {
    let app = TestApp::with(|settings| settings.ingest.max_values = 10_000).await;
    let job = app.submitted().await;
    let items = |item: &str, count: usize| {
        let more = format!("{item},").repeat(count - 1);
        format!(r#"{{"status":"Success","response":{{"x":[{more}{item}]}}}}"#)
    };
    for body in [items("[]", 5000), items("{\"a\":0}", 5000), items("0", 10_000)] {
        assert_acknowledged(&app.deliver(&job.webhook, body).await);
        assert_eq!(reason(&app, job.id).await, "it holds more than 10000 values");
    }
    // Three brackets and two commas surround the items.
    assert_acknowledged(&app.deliver(&job.webhook, items("0", 9900)).await);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn bombs_in_layers_and_in_pieces_are_put_aside() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let piece = gzip(&vec![b' '; 16 << 20]);
    let (pieces, layers) = (piece.repeat(9), gzip(&gzip(&piece.repeat(200))));
    for (body, why) in [(pieces, "inflates to more"), (layers, "not JSON")] {
        assert!(body.len() < 1 << 20);
        assert_acknowledged(&deliver_encoded(&app, &job.webhook, "gzip", body).await);
        let told = reason(&app, job.id).await;
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(app.job(job.id).await["state"], "submitted");
}

#[tokio::test]
async fn bombs_that_do_not_fit_into_memory_are_asked_for_again() {
    let app = TestApp::with(|settings| settings.ingest.memory = bytesize::ByteSize::mib(4)).await;
    let job = app.submitted().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 8 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let refused = deliver_encoded(&app, &job.webhook, "gzip", bomb).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "5");
    // The memory it had taken is released.
    for _ in 0..3 {
        assert_acknowledged(&app.deliver(&job.webhook, " ".repeat(3 << 20)).await);
    }
}

#[tokio::test]
async fn endless_names_cost_their_row_and_not_the_result() {
    let app = TestApp::start().await;
    // Random digits, which an index entry cannot compress.
    let name: String = (0..500_u32).map(|n| (n.wrapping_mul(2_654_435_761)).to_string()).collect();
    let values = json!([{ "speakerId": name, "value": 1 }, { "speakerId": "0", "value": 2 }]);
    let job = app.submitted().await;
    let body = success(&json!({
        "utteranceInsights": [{ "start": 0, "end": 1, "text": "kept", "speakerId": name }],
        "speakerInsights": { "insights": [{ "name": "Energy", "values": values },
                                          { "name": name, "values": values }] },
        "conversationalInsights": [{ "name": name, "values": [{ "value": "x" }] }],
    }));
    assert_acknowledged(&app.deliver(&job.webhook, body).await);
    let result = app.get(&format!("/v1/jobs/{}/result", job.id)).await.json();
    let pointers: Vec<_> = result["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| {
            assert_eq!(issue["code"], "range");
            issue["pointer"].as_str().unwrap()
        })
        .collect();
    let expected = [
        "/utteranceInsights/0/speakerId",
        "/speakerInsights/insights/0/values/0/speakerId",
        "/speakerInsights/insights/1/name",
        "/conversationalInsights/0/name",
    ];
    assert_eq!(pointers, expected);
    assert_eq!(app.count("select count(*) from aftercall.utterances").await, 1);
    assert_eq!(app.count("select count(*) from aftercall.speaker_insights").await, 1);
}

#[tokio::test]
async fn who_sends_too_slowly_is_cut_off_and_keeps_nobody_waiting() {
    let timeout = Duration::from_millis(200);
    let app = TestApp::with(|settings| {
        settings.webhook.read_timeout = timeout;
        settings.ingest.batch_max = 2;
    })
    .await;
    let (slow, swift) = (app.submitted().await, app.submitted().await);
    // An endless body of single bytes, and bodies that stop in the middle.
    let trickle = || {
        stream::repeat(()).then(|()| async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>("7")
        })
    };
    let stuck = || stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
    let senders = (0..100).map(|n| {
        let body = if n == 0 { Body::from_stream(trickle()) } else { Body::from_stream(stuck()) };
        app.deliver(&slow.webhook, body)
    });
    let meanwhile = async {
        for _ in 0..3 {
            assert_acknowledged(&app.deliver(&swift.webhook, seed_success()).await);
        }
    };
    let (answers, ()) = tokio::join!(join_all(senders), meanwhile);
    for answer in answers {
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
        assert!(answer.body.is_empty());
    }
    assert_eq!(app.job(swift.id).await["state"], "completed");
    assert!(app.delivery_outcomes(slow.id).await.is_empty());
}

#[tokio::test]
async fn one_token_leaves_room_for_all_others() {
    let app = TestApp::with(|settings| settings.ingest.memory = bytesize::ByteSize::mib(4)).await;
    let (leaked, other) = (app.submitted().await, app.submitted().await);
    let stuck =
        || stream::iter([Ok::<_, Infallible>("x".repeat(1 << 19))]).chain(stream::pending());
    let held = (0..20).map(|_| app.deliver(&leaked.webhook, Body::from_stream(stuck())));
    let meanwhile = async {
        // The other token is looked up before the first of these bodies is stored.
        for size in [0, 1 << 20, 1 << 20] {
            let body = seed_success() + &" ".repeat(size);
            assert_acknowledged(&app.deliver(&other.webhook, body).await);
        }
    };
    tokio::select! {
        answers = join_all(held) => panic!("{:?}", answers.first().map(|answer| answer.status)),
        () = meanwhile => {}
    }
    // The senders have left and released their memory.
    assert_acknowledged(&app.deliver(&leaked.webhook, seed_success()).await);
    assert_eq!(app.job(leaked.id).await["state"], "completed");
}
