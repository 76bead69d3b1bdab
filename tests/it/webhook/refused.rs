//! Rejected deliveries: unknown tokens, other methods, and an unavailable database.
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use aftercall::{
    config::Settings,
    jobs::{JobId, Token},
};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use bytesize::ByteSize;
use futures_util::{StreamExt as _, stream};
use sqlx::AssertSqlSafe;

use super::{assert_acknowledged, seed_success};
use crate::support::{
    answer::Answer,
    app::{Submitted, TestApp},
    soon,
};

#[track_caller]
fn assert_not_stored(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "5");
    assert!(answer.body.is_empty());
}

async fn assert_unknown(app: &TestApp, webhook: &str) {
    let request = Request::post(webhook).header("validation-token", "v");
    let answer = Answer::of(&app.webhook, request.body(seed_success().into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{webhook}");
    assert!(answer.body.is_empty(), "{webhook}");
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["content-length", "x-request-id"], "{webhook}");
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_not_found() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let token = job.webhook.strip_prefix("/webhooks/").unwrap();
    let other_secret = Token::new(job.id.into(), Token::random_secret()).reveal();
    let other_job = Token::new(JobId::generate(), Token::random_secret()).reveal();
    for wrong in [
        &other_secret,
        &other_job,
        &token[1..],
        &format!("{token}A"),
        &format!("{}=", &token[..63]),
        "",
        "%ff",
        "%00",
        "a/b",
        "ö",
    ] {
        let path = format!("/webhooks/{}", wrong.replace('ö', "%C3%B6"));
        assert_unknown(&app, &path).await;
    }
    assert_unknown(&app, "/").await;
    assert_unknown(&app, "/v1/jobs").await;
    assert!(app.delivery_outcomes(job.id).await.is_empty());
}

#[tokio::test]
async fn a_token_expires_a_week_after_the_deadline() {
    let app = TestApp::start().await;
    let Submitted { id, webhook, .. } = app.submitted().await;
    app.about(
        id,
        "update aftercall.jobs set deadline_at = now() - interval '8 days' where id = $1",
    )
    .await;
    assert_unknown(&app, &webhook).await;
}

#[tokio::test]
async fn only_post_is_allowed() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = Request::builder().method(method).uri(&job.webhook);
        let answer = Answer::of(&app.webhook, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header("allow"), "POST");
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn a_delivery_whose_commit_fails_is_asked_for_again() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let run = async |statement| {
        sqlx::query(statement).execute(&app.db.pool).await.unwrap();
    };
    run("alter table aftercall.speakers rename to elsewhere").await;
    assert_not_stored(&app.deliver(&job.webhook, seed_success()).await);
    assert!(app.delivery_outcomes(job.id).await.is_empty());
    assert_eq!(app.job(job.id).await["state"], "submitted");
    run("alter table aftercall.elsewhere rename to speakers").await;
    assert_acknowledged(&app.deliver(&job.webhook, seed_success()).await);
    assert_eq!(app.job(job.id).await["state"], "completed");
}

#[tokio::test]
async fn a_delivery_whose_rows_are_never_taken_is_set_aside_and_hurts_no_other() {
    let app = TestApp::start().await;
    let (poisonous, sound) = (app.submitted().await, app.submitted().await);
    let body = seed_success();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'too much' using errcode = 'program_limit_exceeded'; end $$;
        create trigger refuse before insert on aftercall.results for each row
            when (new.job_id = '{}') execute function refuse()",
        poisonous.id
    )))
    .execute(&app.db.pool)
    .await
    .unwrap();
    let (first, second) = tokio::join!(
        app.deliver(&poisonous.webhook, body.clone()),
        app.deliver(&sound.webhook, body)
    );
    assert_acknowledged(&first);
    assert_acknowledged(&second);
    assert_eq!(app.delivery_outcomes(poisonous.id).await, ["malformed"]);
    assert_eq!(app.job(poisonous.id).await["state"], "submitted");
    assert_eq!(app.job(sound.id).await["state"], "completed");
}

#[tokio::test]
async fn without_a_database_nothing_is_acknowledged() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    app.db.runtime.close().await;
    assert_not_stored(&app.deliver(&job.webhook, seed_success()).await);
}

#[tokio::test]
async fn a_flood_of_unknown_tokens_is_told_to_wait_and_known_ones_never() {
    let app = TestApp::with(|settings| settings.webhook.unknown_tokens = 3).await;
    let known = [app.submitted().await, app.submitted().await];
    let (here, elsewhere) = (IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 8]));
    let deliver = async |path: &str, address: IpAddr, body: String| {
        let sender = ConnectInfo(SocketAddr::new(address, 4711));
        let request = Request::post(path).extension(sender).body(body.into()).unwrap();
        Answer::of(&app.webhook, request).await
    };
    let unknown = format!("/webhooks/{}", Token::new(known[0].id.into(), [7; 32]).reveal());
    let too_large = "9".repeat(100_000);
    for (path, body) in [(&*unknown, "{}"), ("/webhooks/x", ""), (&unknown, &too_large)] {
        let answer = deliver(path, here, body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert_acknowledged(&deliver(&known[0].webhook, here, seed_success()).await);
    for (path, body) in [(&*unknown, "{}"), ("/webhooks/x", ""), (&unknown, &too_large)] {
        let answer = deliver(path, here, body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), "60");
        assert!(answer.body.is_empty());
    }
    assert_acknowledged(&deliver(&known[1].webhook, here, seed_success()).await);
    assert_eq!(deliver(&unknown, elsewhere, "{}".to_owned()).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn where_there_is_no_room_for_the_unproven_a_known_token_is_enough() {
    let narrow: [fn(&mut Settings); 3] = [
        |settings| settings.webhook.unproven_body = ByteSize::b(0),
        |settings| settings.webhook.unproven_per_address = 0,
        |settings| settings.ingest.queue_max = 1,
    ];
    for adjust in narrow {
        let app = TestApp::with(adjust).await;
        let job = app.submitted().await;
        assert_acknowledged(&app.deliver(&job.webhook, seed_success()).await);
        assert_eq!(app.job(job.id).await["state"], "completed");
        let unknown = format!("/webhooks/{}", Token::new(job.id.into(), [7; 32]).reveal());
        assert_eq!(app.deliver(&unknown, seed_success()).await.status, StatusCode::NOT_FOUND);
    }
}

/// A body that stops after its first byte.
fn stuck(webhook: &str) -> Request<Body> {
    let begun = stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
    let request = Request::post(webhook).header(header::CONTENT_LENGTH, 2);
    request.body(Body::from_stream(begun)).unwrap()
}

#[tokio::test]
async fn a_body_that_stops_is_waited_for_only_with_a_known_token() {
    let app = TestApp::with(|settings| settings.webhook.read_timeout = Duration::from_mins(10));
    let app = app.await;
    let job = app.submitted().await;
    let unknown = format!("/webhooks/{}", Token::new(job.id.into(), [7; 32]).reveal());
    let refused = soon("a refusal", Answer::of(&app.webhook, stuck(&unknown))).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let app = TestApp::with(|settings| settings.webhook.read_timeout = Duration::from_millis(50));
    let app = app.await;
    let job = app.submitted().await;
    let refused = Answer::of(&app.webhook, stuck(&job.webhook)).await;
    assert_eq!(refused.status, StatusCode::REQUEST_TIMEOUT);
}
