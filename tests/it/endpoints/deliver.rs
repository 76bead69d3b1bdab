//! Tests of endpoints: what is sent, and what its caller learns.
use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, net::TcpListener, sync::mpsc};

use super::{Stand, content_receiver, receiver, verifies};
use crate::support::{app::TestApp, without};

#[tokio::test]
async fn a_test_sends_one_signed_message_and_shows_the_response() {
    let stand = Stand::start().await;
    let (url, mut arrivals) =
        receiver(|| (StatusCode::ACCEPTED, "thank you").into_response()).await;
    let (path, secret) = stand.endpoint(&url).await;
    let before = stand.get(&path).await.json();
    let tested = stand.post(&format!("{path}/test")).await;
    assert_eq!(tested.status, StatusCode::OK);
    insta::assert_json_snapshot!(without(tested.json(), &["/messageId", "/latencyMs"]), @r#"
    {
      "messageId": "…",
      "succeeded": true,
      "status": 202,
      "latencyMs": "…",
      "response": "thank you",
      "error": null
    }
    "#);
    let arrived = arrivals.recv().await.unwrap();
    assert!(verifies(&secret, &arrived));
    let (headers, body) = arrived;
    assert_eq!(headers["webhook-id"], tested.json()["messageId"].as_str().unwrap());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["type"], "notify.test");
    assert_eq!(body["data"], json!({ "endpointId": before["id"] }));
    let sent: i64 = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
    let age = format!("select extract(epoch from now())::bigint - {sent}");
    let age: i64 =
        sqlx::query_scalar(sqlx::AssertSqlSafe(age)).fetch_one(&stand.app.db.pool).await.unwrap();
    assert!((0..60).contains(&age), "by the database's clock: {age}");
    assert_eq!(stand.get(&path).await.json(), before, "a test changes nothing");
    arrivals.try_recv().unwrap_err();
}

#[tokio::test]
async fn failures_are_results_of_a_test_and_show_no_credential() {
    let stand = Stand::with(|settings| settings.notify.timeout = Duration::from_millis(300)).await;
    let away = receiver(|| Redirect::temporary("https://elsewhere.example/").into_response());
    let (away, _arrivals) = away.await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://me:hush@{}/?token=hush", silent.local_addr().unwrap());
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = format!("http://me:hush@{nobody}/?token=hush");
    for (url, status, error) in [
        (&away, json!(307), Value::Null),
        (&hanging, Value::Null, json!("timed_out")),
        (&nobody, Value::Null, json!("unreachable")),
        (&nobody.replace("http:", "https:"), Value::Null, json!("unreachable")),
        (&away.replace("http:", "https:"), Value::Null, json!("tls")),
    ] {
        let (path, _) = stand.endpoint(url).await;
        let tested = stand.post(&format!("{path}/test")).await.json();
        assert_eq!(tested["succeeded"], false, "{tested}");
        assert_eq!((&tested["status"], &tested["error"]["code"]), (&status, &error), "{tested}");
        if error.is_null() {
            assert_eq!(tested["error"], Value::Null);
        }
        assert!(!tested.to_string().contains("hush"), "{tested}");
    }
}

#[tokio::test]
async fn an_address_that_is_no_longer_allowed_is_refused_at_the_test() {
    let stand = Stand::start().await;
    let (url, mut arrivals) = content_receiver().await;
    let (path, _) = stand.endpoint(&url).await;
    let strict = Stand {
        app: TestApp::on(stand.app.db, |settings| settings.notify.allow.clear()).await,
        key: stand.key,
    };
    let tested = strict.post(&format!("{path}/test")).await.json();
    assert_eq!(tested["error"]["code"], "refused");
    let detail = tested["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("adding 127.0.0.1 to notify.allow"), "{detail}");
    arrivals.try_recv().unwrap_err();
}

#[tokio::test]
async fn a_url_is_tested_before_it_is_an_endpoint() {
    let stand = Stand::start().await;
    let (url, mut arrivals) = content_receiver().await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = json!({ "url": url, "secret": secret });
    let tested = stand.send("POST", "/v1/notify/test", &body).await;
    assert_eq!(tested.json()["succeeded"], true);
    let arrived = arrivals.recv().await.unwrap();
    assert!(verifies(secret, &arrived));
    let tested = stand.send("POST", "/v1/notify/test", &json!({ "url": url })).await;
    assert_eq!(tested.json()["succeeded"], true);
    assert!(!verifies(secret, &arrivals.recv().await.unwrap()));
    let wrong = json!({ "url": "", "secret": "hush", "events": [] });
    let mut faults = stand.send("POST", "/v1/notify/test", &wrong).await.faults();
    faults.sort();
    assert_eq!(faults, ["#/events unknown", "#/secret format", "#/url format"]);
}

#[tokio::test]
async fn tests_that_hang_are_limited_per_caller() {
    let stand = Stand::with(|settings| {
        settings.api.max_tests = 8;
        settings.api.max_tests_per_caller = 1;
    })
    .await;
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // Keeps each connection until it is told to close it.
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.read_u8().await.unwrap();
            arrived.send(connection).unwrap();
        }
    });
    let (path, _) = stand.endpoint(&url).await;
    let test = format!("{path}/test");
    let second = async {
        let held = arrivals.recv().await.unwrap();
        let refused = stand.post(&test).await;
        let problem = refused.problem(429, "caller-limit");
        assert!(problem["detail"].as_str().unwrap().contains("api.max_tests_per_caller"));
        drop(held);
    };
    let (first, ()) = tokio::join!(stand.post(&test), second);
    assert_eq!(first.json()["error"]["code"], "unreachable");
    let third = async { drop(arrivals.recv().await.unwrap()) };
    let (third, ()) = tokio::join!(stand.post(&test), third);
    assert_eq!(third.status, StatusCode::OK, "the permit came back");
}
