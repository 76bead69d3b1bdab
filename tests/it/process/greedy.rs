//! Requests made to cost the most, one after another: the process's memory and its responses stay small.
use reqwest::header;
use serde_json::{Value, json};

use super::{Home, Service};
use crate::support::db::TestDb;

const MIB: usize = 1 << 20;
/// Size of each body.
const SIZE: usize = 16 * MIB;
const MAX_VALUES: usize = 100_000;
/// Largest allowed response: a hundred errors.
const ANSWER: usize = 128 * 1024;

/// Memory limit: the process itself, a body with the text parsed from it, and its values.
const fn bound() -> usize {
    96 * MIB + 4 * SIZE + 1024 * MAX_VALUES
}

/// The smallest valid request with additional `members`.
fn with(members: &str) -> String {
    format!(r#"{{"contentUri":"https://media.example/a.wav","encoding":"Wav",{members}}}"#)
}

/// `count` items, all different.
fn listed(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

/// Bodies with the status of their responses.
fn worst() -> Vec<(&'static str, String, u16)> {
    let long = "n".repeat(SIZE - 200);
    let just = MAX_VALUES - 10;
    let names = listed(just, |n| format!(r#""{n:0>140}":0"#));
    let deep = format!(
        "{}0{}",
        format!(r#"{{"{}":"#, "d".repeat(SIZE / 120)).repeat(100),
        "}".repeat(100)
    );
    let nul = format!(
        r#""metadata":{{"{}":[{}]}}"#,
        &long[..SIZE / 2],
        vec![r#""\u0000""#; just].join(",")
    );
    let texts = |name: &str, count| with(&format!(r#""{name}":[{}""]"#, r#""","#.repeat(count)));
    let contexts = |one: &str| with(&format!(r#""speechContexts":[{}]"#, vec![one; 19].join(",")));
    vec![
        ("texts", texts("insights", SIZE / 3 - 50), 413),
        ("as many texts as may be", texts("insights", just), 422),
        ("tags", texts("tags", just), 422),
        ("objects", with(&format!(r#""x":[{}]"#, vec![r#"{"a":{}}"#; just / 2].join(","))), 422),
        ("unknown members", with(&names), 422),
        ("one long name", with(&format!(r#""{long}":0"#)), 422),
        ("a long name in metadata", with(&format!(r#""metadata":{deep}"#)), 422),
        ("NUL in many places", with(&nul), 422),
        (
            "members of contexts",
            contexts(&format!("{{{}}}", listed(5000, |n| format!(r#""{n}":0"#)))),
            422,
        ),
        (
            "a long address",
            format!(r#"{{"contentUri":"https://a.example/{long}","encoding":"Wav"}}"#),
            422,
        ),
        ("a long enum", with(&format!(r#""audioType":"{long}""#)), 422),
        ("brackets", "[".repeat(SIZE), 400),
        ("digits", with(&"7".repeat(SIZE)), 400),
    ]
}

async fn post(service: &Service, path: &str, body: String) -> (u16, Value) {
    let request = service.http.post(format!("{}{path}", service.api)).bearer_auth(&service.key);
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let answer = request.header("idempotency-key", "greedy").body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    assert!(body.len() < ANSWER, "{path}: {} bytes", body.len());
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn no_request_costs_more_than_a_multiple_of_its_size_and_no_answer_grows_with_it() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("AFTERCALL__API__MAX_VALUES", MAX_VALUES.to_string());
    let mut service = Service::start(&home).await;
    for (name, body, status) in worst() {
        let answer = post(&service, "/v1/jobs", body).await;
        assert_eq!(answer.0, status, "{name}: {:#}", answer.1);
        let listed = answer.1["errors"].as_array().map_or(0, Vec::len);
        assert!(listed <= 100, "{name}");
        assert_eq!(listed == 100, answer.1["moreErrors"].is_u64(), "{name}: {:#}", answer.1);
    }
    // A hundred items, each with the maximum number of errors.
    let item = with(&listed(900, |n| format!(r#""{n:0>150}":0"#)));
    let batch = format!(r#"{{"jobs":[{}]}}"#, vec![item; 100].join(","));
    let stored = post_batch(&service, batch).await;
    assert!(stored < 8 * ANSWER, "{stored} bytes");
    let kept =
        "select coalesce(max(octet_length(body)), 0)::bigint from aftercall.idempotency_keys";
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(&db.pool).await.unwrap();
    assert_eq!(usize::try_from(kept), Ok(stored));
    let operator = home.run(&["keys", "create", "operator", "--scope", "admin:write"]).await;
    operator.success().trim().clone_into(&mut service.key);
    let typed = format!(r#"{{"filter":{{"{}":1}}}}"#, "f".repeat(SIZE));
    let (status, _) = post(&service, "/v1/admin/replays", typed).await;
    assert_eq!(status, 422);
    service.key = home.key("tester").await;
    service.get("/v1/jobs").await;
    let peak = service.process.memory("VmHWM");
    assert!(peak < bound(), "{} of {} MiB", peak / MIB, bound() / MIB);
    service.stop().await.success();
}

/// Returns the size of the response.
async fn post_batch(service: &Service, batch: String) -> usize {
    let request = service.http.post(format!("{}/v1/jobs/batch", service.api));
    let request = request.bearer_auth(&service.key).header("idempotency-key", "greedy");
    let request = request.header(header::CONTENT_TYPE, "application/json").body(batch);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.bytes().await.unwrap();
    let items: Value = serde_json::from_slice(&body).unwrap();
    let problem = &items["data"][99]["problem"];
    assert_eq!(problem["errors"].as_array().unwrap().len(), 10);
    assert_eq!(problem["moreErrors"], json!(890));
    body.len()
}
