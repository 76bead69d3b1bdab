//! Invalid input: each kind is rejected with a clear problem and leaves nothing behind.
use axum::{body::Body, http::header};
use serde_json::{Value, json};

use crate::support::{answer::Answer, app::TestApp, without};

const URI: &str = "https://media.example/a.wav";

async fn post(app: &TestApp, body: impl Into<Body>) -> Answer {
    app.send(app.request("POST", "/v1/jobs"), body).await
}

/// The smallest valid request with one member set.
fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut body = json!({ "contentUri": URI, "encoding": "Wav" });
    body[name] = value.into();
    body
}

#[tokio::test]
async fn all_faults_come_at_once() {
    let app = TestApp::start().await;
    let body = json!({
        "contentUri": "ftp://media.example/a.wav", "content": "=", "encoding": "mp3",
        "speakercount": 2, "insights": ["All", "Mood"], "metadata": { "a/b": ["x\u{0}"] },
    });
    let answer = app.post("/v1/jobs", &body).await;
    let problem = answer.problem(422, "validation-failed");
    insta::assert_json_snapshot!(without(problem, &["/requestId"]), @r##"
    {
      "type": "/docs/errors#validation-failed",
      "title": "Invalid request",
      "status": 422,
      "detail": "the request has 7 fault(s); see errors",
      "instance": "/v1/jobs",
      "code": "validation-failed",
      "requestId": "…",
      "errors": [
        {
          "pointer": "#/contentUri",
          "code": "scheme",
          "detail": "must be an http or https URL"
        },
        {
          "pointer": "#/content",
          "code": "base64",
          "detail": "must be base64 (RFC 4648, section 4, padded): Invalid symbol 61, offset 0."
        },
        {
          "pointer": "#/encoding",
          "code": "enum",
          "detail": "MP3 is called Mpeg"
        },
        {
          "pointer": "#/speakercount",
          "code": "unknown",
          "detail": "is not a known member; did you mean speakerCount?"
        },
        {
          "pointer": "#/insights/1",
          "code": "enum",
          "detail": "must be one of All, KeyPhrases, Emotion, AbstractiveSummaryLong, AbstractiveSummaryShort, ExtractiveSummary, TalkToListenRatio, Energy, Pace, QuestionsAsked, Topics, Title, Tasks"
        },
        {
          "pointer": "#/metadata/a~1b/0",
          "code": "nul",
          "detail": "must not contain the character U+0000"
        },
        {
          "pointer": "#/content",
          "code": "conflict",
          "detail": "give either contentUri or content, not both"
        }
      ]
    }
    "##);
    assert_eq!(app.count("select count(*) from aftercall.jobs").await, 0);
}

#[tokio::test]
async fn each_member_keeps_its_rule() {
    let app = TestApp::start().await;
    let long = "x".repeat(201);
    let cases = [
        (with("contentUri", "media.example/a.wav"), "#/contentUri format"),
        (with("contentUri", "file:///etc/passwd"), "#/contentUri scheme"),
        (with("contentUri", format!("{URI}?{}", "x".repeat(8192))), "#/contentUri length"),
        (with("contentUri", Value::Null), "#/contentUri missing"),
        (with("content", "UklGRg=="), "#/content conflict"),
        (with("encoding", "Flac"), "#/encoding enum"),
        (with("encoding", Value::Null), "#/encoding missing"),
        (with("languageCode", "English!"), "#/languageCode format"),
        (with("languageCode", "en--US"), "#/languageCode format"),
        (with("languageCode", "en-".to_owned() + &"a".repeat(33)), "#/languageCode length"),
        (with("speechContexts", vec![json!({ "phrases": ["a"] }); 21]), "#/speechContexts length"),
        (with("insights", vec!["All"; 14]), "#/insights length"),
        (with("sampleRate", 0), "#/sampleRate range"),
        (with("sampleRate", 1e300), "#/sampleRate range"),
        (with("source", ""), "#/source length"),
        (with("source", long), "#/source length"),
        (with("audioType", "Podcast"), "#/audioType enum"),
        (with("separateSpeakerPerChannel", "yes"), "#/separateSpeakerPerChannel type"),
        (with("speakerCount", 2_147_483_648_u64), "#/speakerCount range"),
        (with("speakerCount", -2), "#/speakerCount range"),
        (with("speakerCount", 1.5), "#/speakerCount range"),
        (with("speakerIds", vec![1]), "#/speakerIds/0 type"),
        (with("insights", Vec::<String>::new()), "#/insights length"),
        (
            with("speechContexts", json!([{ "phrases": vec!["a"; 51] }])),
            "#/speechContexts/0/phrases length",
        ),
        (with("externalId", 7), "#/externalId type"),
        (with("tags", vec!["t"; 21]), "#/tags length"),
        (with("metadata", "none"), "#/metadata type"),
        (with("metadata", json!({ "a": "x".repeat(8192) })), "#/metadata length"),
        (with("a\u{0}~/b", 1), "#/a\u{fffd}~0~1b unknown"),
        (json!([]), "# type"),
    ];
    for (body, fault) in cases {
        assert_eq!(app.post("/v1/jobs", &body).await.faults(), [fault], "{body}");
    }
}

#[tokio::test]
async fn any_language_tag_is_taken() {
    let app = TestApp::start().await;
    for tag in ["en", "zh-Hant-TW", "de-CH-1996", "sl-rozaj-biske", "x-a", "en-u-ca-buddhist"] {
        let expected = if tag == "x-a" { 422 } else { 202 };
        assert_eq!(
            app.post("/v1/jobs", &with("languageCode", tag)).await.status,
            expected,
            "{tag}"
        );
    }
}

#[tokio::test]
async fn conflicting_members_are_named() {
    let app = TestApp::start().await;
    let names = json!({ "contentUri": URI, "encoding": "Wav", "speakerIds": ["a"], "enrollmentIds": ["b"] });
    assert_eq!(app.post("/v1/jobs", &names).await.faults(), ["#/enrollmentIds conflict"]);
    let nothing = app.post("/v1/jobs", &json!({})).await;
    assert_eq!(nothing.faults(), ["#/contentUri missing", "#/encoding missing"]);
}

#[tokio::test]
async fn content_must_be_base64() {
    let app = TestApp::start().await;
    for (content, code) in
        [("UklGRg", "base64"), ("UklG Rg==", "base64"), ("_-8=", "base64"), ("", "length")]
    {
        let body = json!({ "content": content, "encoding": "Wav" });
        assert_eq!(app.post("/v1/jobs", &body).await.faults(), [format!("#/content {code}")]);
    }
}

#[tokio::test]
async fn nul_is_refused_wherever_it_stands() {
    let app = TestApp::start().await;
    for (name, value, pointer) in [
        ("externalId", json!("a\u{0}b"), "#/externalId"),
        ("tags", json!(["a", "\u{0}"]), "#/tags/1"),
        ("speakerIds", json!(["\u{0}"]), "#/speakerIds/0"),
        ("speechContexts", json!([{ "phrases": ["\u{0}"] }]), "#/speechContexts/0/phrases/0"),
        ("metadata", json!({ "a\u{0}": 1 }), "#/metadata/a\u{fffd}"),
        ("metadata", json!({ "a": [{ "b": "\u{0}" }] }), "#/metadata/a/0/b"),
    ] {
        let faults = app.post("/v1/jobs", &with(name, value)).await.faults();
        assert_eq!(faults, [format!("{pointer} nul")]);
    }
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let app = TestApp::start().await;
    let deep = format!(r#"{{"metadata":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    for body in [
        "",
        "recording",
        r#"{"contentUri": "https://media.example/a.wav""#,
        r#"{"enablePunctuation": True}"#,
        r#"{"externalId": "\ud800"}"#,
        r#"{"externalId": "\udc00\ud800"}"#,
        r#"{"sampleRate": 1e999}"#,
        r#"{"sampleRate": NaN}"#,
        "{} {}",
        &deep,
    ] {
        post(&app, body.to_owned()).await.problem(400, "malformed-body");
    }
    post(&app, &b"{\"externalId\":\"\xff\"}"[..]).await.problem(400, "malformed-body");
}

#[tokio::test]
async fn texts_and_numbers_at_the_edge_come_back_as_they_were() {
    let app = TestApp::start().await;
    let metadata = json!({
        "emoji": "👩‍👩‍👧 \u{10ffff} \u{feff}", "deep": [[[[[[[[1]]]]]]]], "float": 4.800_000_000_000_001,
        "most": u64::MAX, "least": i64::MIN, "control": "\u{1}\u{1f}\u{7f}", "": null,
    });
    let answer = app.post("/v1/jobs", &with("metadata", metadata.clone())).await;
    assert_eq!(app.job(answer.id()).await["metadata"], metadata);
}

#[tokio::test]
async fn whole_numbers_beyond_64_bits_come_back_digit_for_digit() {
    let app = TestApp::start().await;
    let metadata = r#"{"id":123456789012345678901234567890,"deep":[{"least":-98765432109876543210}],"half":0.5}"#;
    let job = format!(r#"{{"contentUri":"{URI}","encoding":"Wav","metadata":{metadata}}}"#);
    let answer = post(&app, job.clone()).await;
    let shown = |answer: &Answer| {
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains(&format!(r#""metadata":{metadata}"#)), "{text}");
    };
    shown(&answer);
    shown(&app.get(&format!("/v1/jobs/{}", answer.id())).await);
    let batch = app.request("POST", "/v1/jobs/batch").header("idempotency-key", "digits");
    let items = format!(r#"{{"jobs":[{{"contentUri":"{URI}","encoding":"Wav"}},{job}]}}"#);
    shown(&app.send(batch, items).await);
    shown(&app.get("/v1/exports/jobs.ndjson").await);
    // Counted in the form in which it is stored.
    let long = format!(r#"{{"a":[{}0]}}"#, format!("1{},", "0".repeat(299)).repeat(28));
    let job = format!(r#"{{"contentUri":"{URI}","encoding":"Wav","metadata":{long}}}"#);
    assert_eq!(post(&app, job).await.faults(), ["#/metadata length"]);
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let app = TestApp::start().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"] {
        let request = app.request("POST", "/v1/jobs").header(header::CONTENT_TYPE, kind);
        let request = request.body(Body::from(with("source", "Phone").to_string())).unwrap();
        Answer::of(&app.api, request).await.problem(415, "not-json");
    }
    let untyped = app.request("POST", "/v1/jobs").body(Body::from("{}")).unwrap();
    Answer::of(&app.api, untyped).await.problem(415, "not-json");
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/x+json"] {
        let request = app.request("POST", "/v1/jobs").header(header::CONTENT_TYPE, kind);
        let request = request.body(Body::from(with("source", "Phone").to_string())).unwrap();
        assert_eq!(Answer::of(&app.api, request).await.status, 202);
    }
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_setting_says() {
    let app = TestApp::with(|settings| settings.api.max_body = bytesize::ByteSize::kib(64)).await;
    let frame = json!({ "content": "", "encoding": "Wav" }).to_string();
    let body = |size: usize| {
        // Spaces fill what base64 cannot.
        let content = "A".repeat((size - frame.len()) / 4 * 4);
        let body = json!({ "content": content, "encoding": "Wav" }).to_string();
        let gap = " ".repeat(size - body.len());
        body + &gap
    };
    assert_eq!(post(&app, body(64 * 1024)).await.status, 202);
    post(&app, body(64 * 1024 + 1)).await.problem(413, "body-too-large");
}
