//! Submissions that share a commit: each gets its own response, and none suffers from another.
use std::time::{Duration, Instant};

use aftercall::callers::{self, KeyTerms};
use axum::{
    Router,
    http::{Request, StatusCode, header, request::Builder},
};
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::{PgTransaction, postgres::PgPoolOptions};
use tokio::task::JoinHandle;

use crate::support::{answer::Answer, app::TestApp, eventually, soon};

const ALL_JOBS: &str = "select count(*) from aftercall.jobs";

/// Makes writers wait until it is dropped or committed.
async fn hold_up(app: &TestApp) -> PgTransaction<'static> {
    // The key is known from now on, so that each submission is queued as soon as it is sent.
    assert_eq!(app.get("/v1/jobs?limit=1").await.status, StatusCode::OK);
    let mut tx = app.db.pool.begin().await.unwrap();
    sqlx::query("lock table aftercall.jobs in share row exclusive mode")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx
}

/// Waits until so many writers are held up; what was sent before them is queued by then.
async fn held_up(app: &TestApp, writers: i64) {
    eventually("writers that wait for the lock", async || {
        let waits = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        (app.count(waits).await >= writers).then_some(())
    })
    .await;
}

fn named(name: &str) -> Value {
    json!({ "contentUri": "https://media.example/a.wav", "encoding": "Wav", "externalId": name })
}

/// Sends a submission in a task of its own, with an API key of `app` unless another is given.
fn send(app: &TestApp, bearer: &str, key: Option<&str>, body: &Value) -> JoinHandle<Answer> {
    let mut request = app.request("POST", "/v1/jobs");
    let bearer = format!("Bearer {bearer}");
    request.headers_mut().unwrap().insert(header::AUTHORIZATION, bearer.parse().unwrap());
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let request = request.header(header::CONTENT_TYPE, "application/json");
    spawn(&app.api, request, body.to_string())
}

fn spawn(api: &Router, request: Builder, body: String) -> JoinHandle<Answer> {
    let (api, request) = (api.clone(), request.body(body.into()).unwrap());
    tokio::spawn(async move { Answer::of(&api, request).await })
}

fn post(app: &TestApp, key: Option<&str>, body: &Value) -> JoinHandle<Answer> {
    send(app, &app.key, key, body)
}

async fn all(sent: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    let answers = soon("responses", join_all(sent)).await;
    answers.into_iter().map(Result::unwrap).collect()
}

async fn another_caller(app: &TestApp, name: &str) -> String {
    let key = callers::create(&app.db.pool, name, "test", KeyTerms::default()).await.unwrap();
    let key = key.text.expose_secret().to_owned();
    let bearer = format!("Bearer {key}");
    let request = Request::get("/v1/jobs?limit=1").header(header::AUTHORIZATION, bearer);
    assert_eq!(app.ask(request).await.status, StatusCode::OK);
    key
}

/// In how many transactions the jobs were stored.
async fn transactions(app: &TestApp) -> i64 {
    app.count("select count(distinct xmin::text) from aftercall.jobs").await
}

#[tokio::test]
async fn waiting_submissions_share_a_transaction_and_each_gets_its_own_response() {
    let app = TestApp::start().await;
    let lock = hold_up(&app).await;
    let body = |n: usize| {
        let tags: Vec<String> = (0..n % 4).map(|tag| format!("tag-{n}-{tag}")).collect();
        let metadata = format!(r#"{{"z":{n},"a":12345678901234567890{n}}}"#);
        let request = format!(r#""externalId":"call-{n}","encoding":"Wav","tags":{}"#, json!(tags));
        let uri = format!("https://me:hush{n}@media.example/{n}.wav");
        (format!(r#"{{"contentUri":"{uri}",{request},"metadata":{metadata}}}"#), tags, metadata)
    };
    let sent = (0..40).map(|n| {
        let mut request = app.request("POST", "/v1/jobs");
        if n % 3 == 0 {
            request = request.header("idempotency-key", format!("order-{n}"));
        }
        let request = request.header(header::CONTENT_TYPE, "application/json");
        spawn(&app.api, request, body(n).0)
    });
    let sent: Vec<_> = sent.collect();
    held_up(&app, 1).await;
    lock.commit().await.unwrap();
    for (n, answer) in all(sent).await.iter().enumerate() {
        assert_eq!((answer.status, answer.header("etag")), (StatusCode::ACCEPTED, "W/\"1\""));
        let job = answer.json();
        let (_, tags, metadata) = body(n);
        assert_eq!(job["externalId"], format!("call-{n}"));
        assert_eq!(job["tags"], json!(tags));
        assert_eq!(job["request"]["contentUri"], format!("https://***@media.example/{n}.wav"));
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains(&metadata), "{text}");
        assert_eq!(answer.header("location"), format!("/v1/jobs/{}", answer.id()));
        assert_eq!(app.job(answer.id()).await["externalId"], job["externalId"]);
    }
    assert_eq!(app.count(ALL_JOBS).await, 40);
    assert!(transactions(&app).await <= 4, "{}", transactions(&app).await);
    let events = "select count(*) from aftercall.job_events where seq = 1 and kind = 'queued'";
    assert_eq!(app.count(events).await, 40);
    // Each with its own URL, which is sealed for its own row.
    assert_eq!(app.dispatcher.drain().await, 40);
    for sent in app.submissions().await {
        let uri = sent.body_json::<Value>().unwrap()["contentUri"].as_str().unwrap().to_owned();
        let n = uri.strip_prefix("https://me:hush").unwrap().split_once('@').unwrap().0;
        assert!(uri.ends_with(&format!("/{n}.wav")), "{uri}");
    }
}

#[tokio::test]
async fn a_submission_that_postgres_rejects_harms_no_other() {
    let app = TestApp::start().await;
    let rule = "alter table aftercall.jobs add constraint only_good
        check (external_id is distinct from 'bad')";
    sqlx::query(rule).execute(&app.db.pool).await.unwrap();
    let lock = hold_up(&app).await;
    let name = |n: usize| if n == 5 || n == 6 { "bad".to_owned() } else { format!("good-{n}") };
    let sent = (0..12).map(|n| {
        let key = (n % 2 == 0).then(|| format!("order-{n}"));
        post(&app, key.as_deref(), &named(&name(n)))
    });
    let sent: Vec<_> = sent.collect();
    held_up(&app, 1).await;
    lock.commit().await.unwrap();
    for (n, answer) in all(sent).await.into_iter().enumerate() {
        if name(n) == "bad" {
            answer.problem(500, "internal");
        } else {
            assert_eq!(answer.json()["externalId"], name(n));
        }
    }
    assert_eq!(app.count(ALL_JOBS).await, 10);
    let keys = "select count(*) from aftercall.idempotency_keys where location <> ''";
    assert_eq!(app.count(keys).await, 5);
}

#[tokio::test]
async fn repetitions_in_one_batch_get_the_response_of_the_first() {
    let app = TestApp::start().await;
    let other = another_caller(&app, "other").await;
    let lock = hold_up(&app).await;
    let mut sent = Vec::new();
    for _ in 0..8 {
        sent.push(post(&app, Some("order-7"), &named("mine")));
        sent.push(send(&app, &other, Some("order-7"), &named("theirs")));
    }
    let different = post(&app, Some("order-7"), &named("different"));
    held_up(&app, 1).await;
    lock.commit().await.unwrap();
    let answers = all(sent).await;
    different.await.unwrap().problem(422, "idempotency-key-reused");
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.body, answers[n % 2].body, "{n}");
        assert_eq!(answer.header("location"), answers[n % 2].header("location"));
    }
    assert_eq!(answers[0].json()["externalId"], "mine");
    assert_eq!(answers[1].json()["externalId"], "theirs");
    let replayed = answers.iter().filter(|it| it.headers.contains_key("idempotent-replayed"));
    assert_eq!(replayed.count(), 14);
    assert_eq!(app.count(ALL_JOBS).await, 2);
}

#[tokio::test]
async fn keys_that_are_taken_are_left_to_transactions_of_their_own() {
    let app = TestApp::start().await;
    let old = post(&app, Some("old"), &named("old")).await.unwrap();
    let age = "update aftercall.idempotency_keys set created_at = now() - interval '25 hours'";
    sqlx::query(age).execute(&app.db.pool).await.unwrap();
    let taken = post(&app, Some("taken"), &named("taken")).await.unwrap();
    let lock = hold_up(&app).await;
    let sent = [
        (Some("old"), "new"),
        (None, "plain"),
        (Some("taken"), "taken"),
        (Some("fresh"), "fresh"),
        (Some("taken"), "other"),
    ];
    let sent = sent.map(|(key, name)| post(&app, key, &named(name)));
    held_up(&app, 1).await;
    lock.commit().await.unwrap();
    let answers = all(sent.into()).await;
    assert_eq!(answers[0].json()["externalId"], "new");
    assert_ne!(answers[0].id(), old.id());
    assert_eq!(answers[2].header("idempotent-replayed"), "true");
    assert_eq!(answers[2].body, taken.body);
    answers[4].problem(422, "idempotency-key-reused");
    assert_eq!(app.count(ALL_JOBS).await, 5);
    let together = "select count(distinct xmin::text) from aftercall.jobs
        where external_id in ('plain', 'fresh')";
    assert_eq!(app.count(together).await, 1);
    // What replaced the old response is what a repetition gets from now on.
    let again = post(&app, Some("old"), &named("new")).await.unwrap();
    assert_eq!(again.body, answers[0].body);
}

/// A request that has inserted its key and goes on for long.
async fn unfinished(app: &TestApp, tx: &mut PgTransaction<'_>, key: &str) {
    let insert = "insert into aftercall.idempotency_keys
            (caller_id, route, key, fingerprint, location, body)
        select id, 'POST /v1/jobs', $1, sha256(''), '', '' from aftercall.callers";
    sqlx::query(insert).bind(key).execute(&mut **tx).await.unwrap();
    assert_eq!(app.count("select count(*) from aftercall.idempotency_keys").await, 0);
}

#[tokio::test]
async fn nobody_else_waits_for_a_request_with_the_same_key() {
    let app = TestApp::start().await;
    let mut slow = app.db.pool.begin().await.unwrap();
    unfinished(&app, &mut slow, "order-7").await;
    let lock = hold_up(&app).await;
    let same = post(&app, Some("order-7"), &named("same"));
    let others = [post(&app, Some("order-8"), &named("keyed")), post(&app, None, &named("plain"))];
    held_up(&app, 1).await;
    lock.commit().await.unwrap();
    for answer in all(others.into()).await {
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    assert!(!same.is_finished());
    slow.commit().await.unwrap();
    same.await.unwrap().problem(422, "idempotency-key-reused");
    assert_eq!(app.count(ALL_JOBS).await, 2);
}

#[tokio::test]
async fn waiting_submissions_count_as_requests_even_if_their_clients_have_gone() {
    let app = TestApp::with(|settings| {
        settings.api.max_requests = 4;
        settings.api.max_requests_per_caller = 2;
        settings.submissions.writers = 1;
    })
    .await;
    let [second, third] = ["second", "third"].map(|name| another_caller(&app, name));
    let (second, third) = (second.await, third.await);
    let lock = hold_up(&app).await;
    let abandoned: Vec<_> =
        [&app.key, &second].map(|key| send(&app, key, None, &named("abandoned"))).into();
    held_up(&app, 1).await;
    abandoned.iter().for_each(JoinHandle::abort);
    let queued = post(&app, None, &named("queued"));
    let also = send(&app, &second, None, &named("queued"));
    post(&app, None, &named("more")).await.unwrap().problem(429, "caller-limit");
    let busy = send(&app, &third, None, &named("more")).await.unwrap();
    busy.problem(503, "busy");
    assert_eq!(busy.header("retry-after"), "5");
    lock.commit().await.unwrap();
    for answer in all(vec![queued, also]).await {
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    assert_eq!(post(&app, None, &named("later")).await.unwrap().status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_a_client_gives_up_before_its_turn_is_not_stored() {
    let app = TestApp::with(|settings| settings.submissions.writers = 1).await;
    let lock = hold_up(&app).await;
    let first = post(&app, None, &named("first"));
    held_up(&app, 1).await;
    let given_up = post(&app, None, &named("given-up"));
    let last = post(&app, None, &named("last"));
    // Both are queued once a request that came later has been answered.
    assert_eq!(app.get("/v1/jobs?limit=1").await.status, StatusCode::OK);
    given_up.abort();
    assert!(given_up.await.is_err());
    lock.commit().await.unwrap();
    all(vec![first, last]).await;
    let names = "select count(*) from aftercall.jobs where external_id in ('first', 'last')";
    assert_eq!((app.count(names).await, app.count(ALL_JOBS).await), (2, 2));
}

#[tokio::test]
async fn without_a_connection_all_who_wait_get_a_503_at_once() {
    let app = TestApp::with(|settings| {
        settings.submissions.writers = 1;
        settings.submissions.batch_max = 1;
    })
    .await;
    let options = PgPoolOptions::new().max_connections(2);
    let options = options.acquire_timeout(Duration::from_millis(500));
    let pool = options.connect_lazy_with(app.db.runtime.connect_options().as_ref().clone());
    let (api, _feed) = app.another_process(&pool).await;
    let submit = || {
        let request = app.request("POST", "/v1/jobs");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        spawn(&api, request, named("one").to_string())
    };
    assert_eq!(submit().await.unwrap().status, StatusCode::ACCEPTED);
    let taken = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    let since = Instant::now();
    let answers = all((0..60).map(|_| submit()).collect()).await;
    // One after the other, they would have waited for half a minute.
    assert!(since.elapsed() < Duration::from_secs(15));
    for answer in answers {
        answer.problem(503, "unavailable");
    }
    drop(taken);
    assert_eq!(app.count(ALL_JOBS).await, 1);
    assert_eq!(submit().await.unwrap().status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_repetition_gets_its_response_after_its_url_has_expired() {
    let app = TestApp::start().await;
    let body = |expires: u32| {
        let uri =
            format!("https://media.example/a.wav?Expires={expires}&Signature=x&Key-Pair-Id=k");
        json!({ "contentUri": uri, "encoding": "Wav" })
    };
    let (first, expired) = (body(4_102_444_800), body(1_700_000_000));
    let answer = post(&app, Some("order-7"), &first).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let late = post(&app, Some("order-8"), &expired).await.unwrap();
    late.problem(422, "expires-too-soon");
    let fingerprint = "update aftercall.idempotency_keys set fingerprint = sha256($1)";
    let set = sqlx::query(fingerprint).bind(expired.to_string().into_bytes());
    set.execute(&app.db.pool).await.unwrap();
    let again = post(&app, Some("order-7"), &expired).await.unwrap();
    assert_eq!((again.status, &again.body), (StatusCode::ACCEPTED, &answer.body));
    assert_eq!(again.header("idempotent-replayed"), "true");
}
