//! Search over everything said in a caller's jobs.
mod pages;
mod syntax;

use aftercall::callers::{self, KeyTerms};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::support::{
    answer::Answer,
    app::{RECORDING, TestApp, seal, webhook_of},
};

/// A submitted job with the path of its webhook; `members` are added to its request.
async fn submitted(app: &TestApp, members: Value) -> (Uuid, String) {
    let mut request = json!({ "contentUri": RECORDING, "encoding": "Wav" });
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let id = app.post("/v1/jobs", &request).await.id();
    assert_eq!(app.dispatcher.drain().await, 1);
    (id, webhook_of(app.submissions().await.last().unwrap()))
}

/// Utterances of one speaker without emotions.
fn texts(texts: &[&str]) -> Value {
    texts
        .iter()
        .map(|text| json!({ "start": 0, "end": 1, "text": text, "speakerId": "0" }))
        .collect()
}

async fn deliver(app: &TestApp, webhook: &str, utterances: Value) {
    let body = json!({ "status": "Success", "response": { "utteranceInsights": utterances } });
    assert_eq!(app.deliver(webhook, body.to_string()).await.status, 200);
}

/// A completed job with these utterances.
async fn said(app: &TestApp, members: Value, utterances: Value) -> Uuid {
    let (id, webhook) = submitted(app, members).await;
    deliver(app, &webhook, utterances).await;
    id
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

async fn ask(app: &TestApp, parameters: &[(&str, &str)]) -> Answer {
    app.get(&format!("/v1/search?{}", encoded(parameters))).await
}

/// Job and seq of each hit, in order.
async fn hits(app: &TestApp, parameters: &[(&str, &str)]) -> Vec<(Uuid, u64)> {
    let answer = ask(app, parameters).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    places(&answer.json())
}

fn places(page: &Value) -> Vec<(Uuid, u64)> {
    let hits = page["data"].as_array().unwrap().iter();
    hits.map(|hit| (hit["jobId"].as_str().unwrap().parse().unwrap(), hit["seq"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_hit_tells_where_and_by_whom() {
    let app = TestApp::start().await;
    let utterances = json!([
        { "start": 0, "end": 1, "text": "Hello.", "speakerId": "0" },
        { "start": 1.5, "end": 3, "text": "I want to cancel my account & get refunds.",
          "speakerId": "1", "insights": [{ "name": "Emotion", "value": "Anger", "confidence": 0.7 }] },
    ]);
    let id = said(&app, json!({ "externalId": "call-1" }), utterances).await;
    sqlx::query(
        "insert into aftercall.speaker_names (job_id, speaker_id, name) values ($1, '1', 'Ann')",
    )
    .bind(id)
    .execute(&app.db.pool)
    .await
    .unwrap();
    let answer = ask(&app, &[("q", "refund")]).await;
    assert_eq!(answer.header("cache-control"), "private, no-store");
    let mut page = answer.json();
    let hit = page["data"][0].as_object_mut().unwrap();
    assert_eq!(hit.remove("createdAt").unwrap(), app.job(id).await["createdAt"]);
    assert!(hit.remove("rank").unwrap().as_f64().unwrap() > 0.0);
    assert_eq!(hit.remove("links").unwrap()["utterances"], format!("/v1/jobs/{id}/utterances"));
    let expected = json!({
        "data": [{
            "jobId": id, "externalId": "call-1", "seq": 1, "start": 1.5, "end": 3.0,
            "speakerId": "1", "speaker": "Ann", "emotion": "Anger",
            "text": "I want to cancel my account & get refunds.",
            "snippet": "I want to cancel my account &amp; get <mark>refunds</mark>.",
        }],
        "nextCursor": null, "hasMore": false,
    });
    assert_eq!(page, expected);
}

#[tokio::test]
async fn the_better_and_shorter_text_comes_first() {
    let app = TestApp::start().await;
    let id = said(&app, json!({}), texts(&[
        "refund",
        "The refund that we spoke about may well take a couple of weeks, as my colleague told you.",
        "A refund is a refund.",
        "The account, which I never used anyway, is what I would like you to cancel today.",
        "Please cancel the account.",
    ])).await;
    assert_eq!(hits(&app, &[("q", "refund")]).await, [(id, 2), (id, 0), (id, 1)]);
    assert_eq!(hits(&app, &[("q", "cancel account")]).await, [(id, 4), (id, 3)]);
    let newest_first = hits(&app, &[("q", "refund"), ("sort", "-createdAt")]).await;
    assert_eq!(newest_first, [(id, 2), (id, 1), (id, 0)]);
}

#[tokio::test]
async fn snippets_are_safe_to_show() {
    let app = TestApp::start().await;
    let text = "5 < 6 & \u{e000}<script>alert(1)</script> 'refund' \"refund\u{e001}\" >";
    let id = said(&app, json!({}), texts(&[text])).await;
    let page = ask(&app, &[("q", "refund")]).await.json();
    assert_eq!(page["data"][0]["text"], text);
    let in_job = app.get(&format!("/v1/jobs/{id}/utterances?q=refund")).await.json();
    for snippet in [&page["data"][0]["snippet"], &in_job["data"][0]["snippet"]] {
        let snippet = snippet.as_str().unwrap();
        assert_eq!(snippet.matches("<mark>refund</mark>").count(), 2, "{snippet}");
        let rest = snippet.replace("<mark>", "").replace("</mark>", "");
        assert!(!rest.contains(['<', '>', '"', '\'', '\u{e000}', '\u{e001}']), "{snippet}");
        assert!(rest.starts_with("5 &lt; 6 &amp; "), "{snippet}");
    }
}

/// Two jobs that differ in everything that can be filtered.
async fn two_jobs(app: &TestApp) -> (Uuid, Uuid) {
    let utterances = json!([
        { "start": 0, "end": 1, "text": "refund", "speakerId": "0" },
        { "start": 1, "end": 2, "text": "refund", "speakerId": "1",
          "insights": [{ "name": "Emotion", "value": "Anger", "confidence": 0.7 }] },
    ]);
    let members = json!({ "externalId": "one", "tags": ["a", "b"], "audioType": "Meeting",
        "languageCode": "en-GB" });
    let one = said(app, members, utterances.clone()).await;
    let two = said(app, json!({ "externalId": "two", "tags": ["a"] }), utterances).await;
    let name =
        "insert into aftercall.speaker_names (job_id, speaker_id, name) values ($1, '1', 'Ann')";
    app.about(one, name).await;
    app.about(
        one,
        "update aftercall.conversations set speaker_count = 3, insight_names = '{Topics}',
            emotions = '{Anger,Fear}' where job_id = $1",
    )
    .await;
    app.about(
        two,
        "update aftercall.jobs set created_at = now() + interval '10 min' where id = $1",
    )
    .await;
    (one, two)
}

#[tokio::test]
async fn each_filter_filters_and_all_do_together() {
    let app = TestApp::start().await;
    let (one, two) = two_jobs(&app).await;
    let created = app.job(two).await["createdAt"].as_str().unwrap().to_owned();
    let one_text = one.to_string();
    let all = [(two, 1), (two, 0), (one, 1), (one, 0)];
    let of_one = [(one, 1), (one, 0)];
    for (name, value, expected) in [
        ("speaker", "1", &[(two, 1), (one, 1)][..]),
        ("speaker", "Ann", &[(one, 1)]),
        ("speaker", "Bob", &[]),
        ("emotion", "Anger", &[(two, 1), (one, 1)]),
        ("emotion", "Joy", &[]),
        ("createdAfter", &created, &[(two, 1), (two, 0)]),
        ("createdBefore", &created, &of_one),
        ("createdAfter", "0001-01-01T00:00:00Z", &all),
        ("createdBefore", "0001-01-01T00:00:00Z", &[]),
        ("createdBefore", "9999-12-31T00:00:00Z", &all),
        ("tag", "a", &all),
        ("tag", "b", &of_one),
        ("tag", "c", &[]),
        ("language", "en-GB", &of_one),
        ("audioType", "Meeting", &of_one),
        ("externalId", "one", &of_one),
        ("jobId", &one_text, &of_one),
        ("status", "completed", &all),
        ("status", "failed", &[]),
        ("minSpeakers", "2", &all),
        ("minSpeakers", "3", &of_one),
        ("hasInsight", "Topics", &of_one),
        ("hasEmotion", "Fear", &of_one),
        ("completedAfter", "2200-01-01T00:00:00Z", &[]),
    ] {
        let found = hits(&app, &[("q", "refund"), ("sort", "-createdAt"), (name, value)]).await;
        assert_eq!(found, expected, "{name}={value}");
    }
    let together = [
        ("q", "refund"),
        ("speaker", "Ann"),
        ("emotion", "Anger"),
        ("createdBefore", &created),
        ("tag", "a"),
        ("tag", "b"),
        ("language", "en-GB"),
        ("audioType", "Meeting"),
        ("externalId", "one"),
        ("jobId", &one_text),
    ];
    assert_eq!(hits(&app, &together).await, [(one, 1)]);
}

#[tokio::test]
async fn nobody_finds_what_another_caller_s_jobs_hold() {
    let mut app = TestApp::start().await;
    let mine = said(&app, json!({}), texts(&["my refund"])).await;
    let lexeme: String = sqlx::query_scalar(
        "select aftercall.search_scope(caller_id, config) from aftercall.caller_configs",
    )
    .fetch_one(&app.db.pool)
    .await
    .unwrap();
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    other.text.expose_secret().clone_into(&mut app.key);
    assert_eq!(hits(&app, &[("q", "refund")]).await, []);
    let theirs = said(&app, json!({}), texts(&["their refund"])).await;
    assert_eq!(hits(&app, &[("q", "refund")]).await, [(theirs, 0)]);
    assert_eq!(hits(&app, &[("q", "refund"), ("jobId", &mine.to_string())]).await, []);
    for q in [
        format!("refund or {lexeme}"),
        format!("refund or \"{lexeme}\""),
        format!("refund '{lexeme}'"),
    ] {
        let found = hits(&app, &[("q", &q)]).await;
        assert!(found.iter().all(|(job, _)| *job == theirs), "{q}: {found:?}");
    }
}

#[tokio::test]
async fn only_completed_jobs_are_searched_and_new_results_take_the_place_of_old_ones() {
    let app = TestApp::start().await;
    let (id, webhook) = submitted(&app, json!({})).await;
    assert_eq!(hits(&app, &[("q", "refund")]).await, []);
    deliver(&app, &webhook, texts(&["refund"])).await;
    assert_eq!(hits(&app, &[("q", "refund")]).await, [(id, 0)]);
    app.about(id, "update aftercall.utterances set text = 'x', fts = null where job_id = $1").await;
    let which = aftercall::insights::Outdated { below: i32::MAX, ..Default::default() };
    let limits = aftercall::config::load(None).unwrap().settings.text_limits();
    let summary =
        aftercall::admin::reparse::run(&app.db.pool, &seal(), &which, limits).await.unwrap();
    assert_eq!(summary.reparsed, 1);
    assert_eq!(hits(&app, &[("q", "refund")]).await, [(id, 0)]);
}

#[tokio::test]
async fn rows_of_writers_that_know_nothing_of_searches_are_found() {
    let app = TestApp::start().await;
    let (id, webhook) = submitted(&app, json!({ "languageCode": "de-DE" })).await;
    deliver(&app, &webhook, json!([])).await;
    app.about(
        id,
        "insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text)
        values ($1, 0, 0, 1, 'Die Häuser'), ($1, 1, 1, 2, 'Ein Auto')",
    )
    .await;
    assert_eq!(hits(&app, &[("q", "haus")]).await, [(id, 0)]);
}

#[tokio::test]
async fn long_texts_and_words_hurt_nobody() {
    let app = TestApp::start().await;
    let many = (0..200_000).map(|n| format!("wort{n:x}")).collect::<Vec<_>>().join(" ");
    let hyphens = "a-b".repeat(100_000);
    let long = format!("refund {} refund {}", "x".repeat(5_000), many);
    let id = said(&app, json!({}), texts(&[&long, &hyphens, &format!("refund {hyphens}")])).await;
    let page = ask(&app, &[("q", "refund"), ("sort", "-createdAt")]).await.json();
    assert_eq!(places(&page), [(id, 2), (id, 0)]);
    assert_eq!(hits(&app, &[("q", "wort10")]).await, [(id, 0)]);
    assert_eq!(hits(&app, &[("q", "wort30d3f")]).await, [], "only the beginning counts");
}

#[tokio::test]
async fn an_index_that_is_settled_finds_the_same() {
    let app = TestApp::start().await;
    let id = said(&app, json!({}), texts(&["refund"])).await;
    aftercall::insights::search::flush_index(&app.db.pool).await.unwrap();
    assert_eq!(hits(&app, &[("q", "refund")]).await, [(id, 0)]);
}
