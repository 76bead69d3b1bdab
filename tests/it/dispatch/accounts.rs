//! Several accounts at the provider, each with its own credentials, limit and gate.
use std::{collections::BTreeMap, time::Duration};

use aftercall::{config::AccountSettings, jobs, provider::wire};
use axum::http::header;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use uuid::Uuid;
use wiremock::{Request, ResponseTemplate};

use crate::support::{
    app::{TestApp, seal, webhook_of},
    fixture,
};

/// With the account `crm` beside the default one. Access tokens are the ids of their clients, `app` and `crm`.
async fn two_accounts(limit: u32, of_crm: Option<u32>) -> TestApp {
    let app = TestApp::with(|settings| {
        settings.provider.gate.limit = limit;
        let crm = AccountSettings {
            client_id: Some("crm".into()),
            client_secret: Some("secret".into()),
            jwt: Some("jwt".into()),
            limit: of_crm,
            ..AccountSettings::default()
        };
        settings.provider.accounts.insert("crm".into(), crm);
    })
    .await;
    app.stub("POST", wire::TOKEN_PATH, |request: &Request| {
        let basic = header_of(request, "Basic ");
        let basic = String::from_utf8(BASE64_STANDARD.decode(basic).unwrap()).unwrap();
        let token = basic.split(':').next().unwrap();
        let body = json!({ "access_token": token, "token_type": "bearer", "expires_in": 3600 });
        ResponseTemplate::new(200).set_body_json(body)
    })
    .await;
    app
}

fn header_of(request: &Request, scheme: &str) -> String {
    let value = request.headers[header::AUTHORIZATION].to_str().unwrap();
    value.strip_prefix(scheme).unwrap().to_owned()
}

/// How many of the requests each client made.
fn by_client(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(header_of(request, "Bearer ")).or_default() += 1;
    }
    counts
}

fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected.into_iter().map(|(client, count)| (client.to_owned(), count)).collect()
}

async fn run(app: &TestApp, statement: &'static str) {
    sqlx::query(statement).execute(&app.db.pool).await.unwrap();
}

async fn state(app: &TestApp, id: Uuid) -> String {
    app.job(id).await["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_account_has_its_own_limit_and_none_exceeds_it() {
    let app = two_accounts(10, None).await;
    for _ in 0..25 {
        app.submit().await;
    }
    assert_eq!(app.dispatcher.drain().await, 20);
    assert_eq!(by_client(&app.submissions().await), counts([("app", 10), ("crm", 10)]));
    let rows = "select account, count(*) from reporting.attempts_v1 group by 1 order by 1";
    let rows: Vec<(String, i64)> = sqlx::query_as(rows).fetch_all(&app.db.pool).await.unwrap();
    assert_eq!(rows, [("crm".to_owned(), 10), ("default".to_owned(), 10)]);
    let free = "select sum(calls_free)::int8 from reporting.provider_gate_v1";
    assert_eq!(app.count(free).await, 0);
    run(&app, "update aftercall.provider_calls set made_at = made_at - interval '1 hour'").await;
    assert_eq!(app.dispatcher.drain().await, 5);
}

#[tokio::test]
async fn the_account_with_the_most_calls_left_comes_first() {
    let app = two_accounts(2, Some(6)).await;
    for _ in 0..4 {
        app.submit().await;
    }
    assert_eq!(app.dispatcher.drain().await, 4);
    assert_eq!(by_client(&app.submissions().await), counts([("crm", 4)]));
}

#[tokio::test]
async fn a_job_waits_for_the_limits_of_all_accounts_together() {
    let app = two_accounts(3, Some(2)).await;
    let mut jobs = Vec::new();
    for _ in 0..6 {
        jobs.push(app.submit().await);
    }
    let last = jobs[5];
    assert_eq!(app.job(jobs[4]).await["queue"]["reason"], "turn");
    assert_eq!(app.job(last).await["queue"]["reason"], "rate_limit");
    assert_eq!(app.dispatcher.drain().await, 5);
    run(&app, "update aftercall.provider_gate set blocked_until = now() + interval '1 h' where account = 'crm'").await;
    run(&app, "update aftercall.provider_calls set made_at = made_at - interval '1 hour'").await;
    assert_eq!(app.job(last).await["queue"]["reason"], "turn");
    assert_eq!(app.dispatcher.drain().await, 1);
    assert_eq!(by_client(&app.submissions().await), counts([("app", 4), ("crm", 2)]));
}

#[tokio::test]
async fn an_account_that_is_refused_or_throttled_does_not_stop_the_other() {
    for answer in [401, 403, 429] {
        let app = two_accounts(100, None).await;
        let accepted = json!({ "jobId": "rc-1" });
        app.answer_submissions(move |request: &Request| {
            if header_of(request, "Bearer ") == "crm" {
                return ResponseTemplate::new(answer);
            }
            ResponseTemplate::new(202).set_body_json(&accepted)
        })
        .await;
        let mut jobs = Vec::new();
        for _ in 0..8 {
            jobs.push(app.submit().await);
        }
        app.dispatcher.drain().await;
        for id in jobs {
            assert_eq!(state(&app, id).await, "submitted", "{answer}");
        }
        let checks = app.get("/readyz?verbose").await.json();
        assert_eq!(checks["checks"]["provider"], "ok", "{answer}");
        let stopped = "select count(*) from reporting.provider_gate_v1
            where account = 'crm' and (refused_since is not null or blocked_until is not null)";
        assert_eq!(app.count(stopped).await, 1, "{answer}");
    }
}

#[tokio::test]
async fn after_a_restart_a_job_is_asked_for_with_the_account_that_submitted_it() {
    let mut app = two_accounts(1, Some(5)).await;
    let job = app.submitted().await;
    assert_eq!(by_client(&app.submissions().await), counts([("crm", 1)]));
    // Killed before it could record the response to another one.
    let lost = app.submit().await;
    let mut tx = app.announcer.begin(&app.db.runtime).await.unwrap();
    let lease = Duration::from_mins(1);
    jobs::claim(&mut tx, &seal(), "crm", 1, lease).await.unwrap();
    tx.commit().await.unwrap();

    app.restart(|_| {}).await;
    app.answer_polls(ResponseTemplate::new(200).set_body_json(json!({ "status": "InProgress" })))
        .await;
    app.make_due(job.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(by_client(&app.polls().await), counts([("crm", 1)]));
    let polls = "select polls_total from aftercall.provider_gate where account = 'crm'";
    assert_eq!(app.count(polls).await, 1);
    let crm = "select count(*) from aftercall.attempts where account = 'crm'";
    assert_eq!((app.count(crm).await, state(&app, lost).await), (2, "submitting".to_owned()));
}

#[tokio::test]
async fn jobs_of_an_account_that_is_removed_end_by_their_webhook_or_their_deadline() {
    let mut app = two_accounts(1, Some(5)).await;
    let (heard, unheard) = (app.submitted().await, app.submitted().await);
    assert_eq!(by_client(&app.submissions().await), counts([("crm", 2)]));
    app.restart(|settings| settings.provider.accounts.clear()).await;
    for id in [heard.id, unheard.id] {
        app.make_due(id).await;
    }
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 0);
    let due = "select count(*) from aftercall.jobs where due_at <= now()";
    assert_eq!(app.count(due).await, 0, "they are passed over until later");
    assert_eq!(app.count("select count(*) from reporting.provider_gate_v1").await, 1);

    let webhook = webhook_of(&app.submissions().await[0]);
    assert_eq!(app.deliver(&webhook, fixture("seed/success.json")).await.status, 200);
    assert_eq!(state(&app, heard.id).await, "completed");
    app.pass_deadline(unheard.id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(state(&app, unheard.id).await, "timed_out");
}
