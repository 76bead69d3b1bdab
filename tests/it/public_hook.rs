//! The self-test of the public webhook URL: its tokens, what it finds, and what it leaves behind.
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aftercall::{
    jobs::{Token, WebhookUrl},
    metrics::Metrics,
    public_hook::{self, HookFault, HookTester, SelfTestKey, probe},
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, Request, StatusCode, header},
    middleware::map_request,
    response::{IntoResponse as _, Response},
    routing::any,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::support::{answer::Answer, app::TestApp, db::TestDb, eventually};

const VALIDATION: HeaderName = HeaderName::from_static("validation-token");

fn delivery(token: &Token) -> Request<Body> {
    let path = WebhookUrl::ROUTE.replace("{token}", &token.reveal());
    Request::post(path).header(&VALIDATION, "echo me").body("{}".into()).unwrap()
}

/// Serves `router`; returns its address.
async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url.parse().unwrap()
}

#[tokio::test]
async fn a_token_is_recognized_while_it_lasts_and_its_delivery_stores_nothing() {
    let app = TestApp::start().await;
    let key = SelfTestKey::load(&app.db.pool).await.unwrap();
    let token = key.token().await.unwrap();
    let answer = Answer::of(&app.webhook, delivery(&token)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[&VALIDATION], "echo me");
    let stored: i64 = sqlx::query_scalar("select count(*) from aftercall.deliveries")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    assert_eq!(stored, 0);
}

#[tokio::test]
async fn forged_expired_and_altered_tokens_are_unknown_and_count_as_such() {
    let app = TestApp::with(|settings| settings.webhook.unknown_tokens = 4).await;
    let key = SelfTestKey::load(&app.db.pool).await.unwrap();
    let token = key.token().await.unwrap();
    let lasting = key.token_at(u64::MAX);
    let expired = key.token_at(key.expiry(&token).unwrap() - 121);
    let unsigned = Token::new(token.job_id, Token::random_secret());
    let of_a_job = Token::new(Uuid::now_v7().into(), Token::random_secret());
    for token in [&lasting, &expired, &unsigned, &of_a_job] {
        let answer = Answer::of(&app.webhook, delivery(token)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.body.is_empty() && answer.headers.get(&VALIDATION).is_none());
    }
    let answer = Answer::of(&app.webhook, delivery(&unsigned)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "each of them counted");
    let answer = Answer::of(&app.webhook, delivery(&token)).await;
    assert_eq!(answer.status, StatusCode::OK, "a known token is never rejected");
}

#[tokio::test]
async fn without_its_database_a_self_test_fails_like_a_delivery() {
    let app = TestApp::start().await;
    let key = SelfTestKey::load(&app.db.pool).await.unwrap();
    let token = key.token().await.unwrap();
    app.db.runtime.close().await;
    let answer = Answer::of(&app.webhook, delivery(&token)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

/// What the test says about a URL that responds like this.
async fn fault(
    answer: impl Fn(HeaderMap) -> Response + Clone + Send + Sync + 'static,
) -> Vec<HookFault> {
    let respond = move |headers: HeaderMap| std::future::ready(answer(headers));
    let base = serve(Router::new().fallback(any(respond))).await;
    probe(&base, &Token::new(Uuid::now_v7().into(), [7; 32])).await.faults
}

fn echo(headers: &HeaderMap) -> HeaderMap {
    HeaderMap::from_iter([(VALIDATION, headers[&VALIDATION].clone())])
}

#[tokio::test]
async fn everything_that_the_provider_would_mind_is_a_fault() {
    assert_eq!(fault(|headers| echo(&headers).into_response()).await, []);
    assert_eq!(fault(|_| StatusCode::OK.into_response()).await, [HookFault::NotEchoed]);
    let away = [(header::LOCATION, "https://elsewhere.example/")];
    let moved = move |_| (StatusCode::FOUND, away.clone()).into_response();
    assert_eq!(fault(moved).await, [HookFault::Status(StatusCode::FOUND)]);
    let large = |headers: HeaderMap| (echo(&headers), "x".repeat(1200)).into_response();
    assert!(matches!(fault(large).await[..], [HookFault::TooLarge(1201..)]));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let base = format!("http://{nobody}").parse().unwrap();
    let token = Token::new(Uuid::now_v7().into(), [7; 32]);
    let report = probe(&base, &token).await;
    let [HookFault::Unreachable(why)] = &report.faults[..] else { panic!("{report:?}") };
    assert!(why.contains("refused") && !why.contains(&token.reveal()), "{why}");
}

#[tokio::test]
async fn one_replica_at_a_time_tests_and_the_row_has_what_it_found() {
    let app = TestApp::start().await;
    let db = app.db.pool.clone();
    let (count, webhook) = (Arc::new(AtomicUsize::new(0)), app.webhook.clone());
    let counted = count.clone();
    let base = serve(webhook.layer(map_request(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(request)
    })))
    .await;
    let key = SelfTestKey::load(&db).await.unwrap();
    let stop = CancellationToken::new();
    let interval = Duration::from_hours(1);
    let tester = HookTester { db: db.clone(), key, base, interval, metrics: Metrics::default() };
    let testers = [(); 3].map(|()| tokio::spawn(tester.clone().run(stop.clone())));
    let last = eventually("a test", async || public_hook::last(&db).await.unwrap()).await;
    assert!(last.is_up && last.fault.is_none() && last.seconds < 3.0, "{last:?}");
    stop.cancel();
    for tester in testers {
        tester.await.unwrap().unwrap();
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_fault_is_stored_and_tested_again_soon() {
    let db = TestDb::new().await;
    let key = SelfTestKey::load(&db.pool).await.unwrap();
    let base = serve(Router::new().fallback(async || StatusCode::BAD_GATEWAY)).await;
    let interval = Duration::from_hours(1);
    let tester =
        HookTester { db: db.pool.clone(), key, base, interval, metrics: Metrics::default() };
    assert!(tester.round().await.unwrap());
    let last = public_hook::last(&db.pool).await.unwrap().unwrap();
    assert_eq!(last.fault.as_deref(), Some("responded with 502 Bad Gateway instead of 200"));
    assert!(!tester.round().await.unwrap(), "tested a moment ago");
    age(&db, "61 seconds").await;
    assert!(tester.round().await.unwrap(), "a failed test is repeated after a minute");

    sqlx::query("update aftercall.hook_test set is_up = true, fault = null")
        .execute(&db.pool)
        .await
        .unwrap();
    age(&db, "59 minutes").await;
    assert!(!tester.round().await.unwrap());
    age(&db, "60 minutes").await;
    assert!(tester.round().await.unwrap());
}

async fn age(db: &TestDb, age: &str) {
    let statement = "update aftercall.hook_test set started_at = now() - $1::text::interval";
    sqlx::query(statement).bind(age).execute(&db.pool).await.unwrap();
}
