//! The cause of a rejection: the tables of `docs/refusals.md`, row by row.
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::ResponseTemplate;

use crate::support::app::TestApp;

/// The cells of each row of the table under this heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let path = format!("{}/docs/refusals.md", env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(path).unwrap();
    let (_, section) = document.split_once(&format!("## {heading}\n")).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with('|'));
    let cells = |row: &str| -> Vec<String> {
        row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    rows.skip(2).map(cells).collect()
}

/// Each code of a row, as a response of the provider.
fn answers(status: &str, codes: &str, parameter: &str) -> Vec<(String, ResponseTemplate)> {
    let status: u16 = status.parse().unwrap();
    let answer = |code: &str| match code {
        "–" => ResponseTemplate::new(status),
        "page" => ResponseTemplate::new(status).set_body_string("<html>Nothing here</html>"),
        code => {
            let code = if code == "any" { "XYZ-7" } else { code };
            let mut error = json!({ "errorCode": code, "message": "said so" });
            if parameter != "–" {
                error["parameterName"] = parameter.into();
            }
            // The platform's format, whose outer code may differ.
            let outer = if code.starts_with("CAI") { Value::Null } else { "TokenInvalid".into() };
            let body = json!({ "errorCode": outer, "message": "outer", "errors": [error] });
            ResponseTemplate::new(status).set_body_json(body)
        }
    };
    codes.split(", ").map(|code| (format!("{status} {code} {parameter}"), answer(code))).collect()
}

async fn clear(app: &TestApp) {
    let statement = "update aftercall.provider_gate set blocked_until = null, refused_since = null,
        refused_class = null, refused_status = null, refused_code = null, probe_at = null";
    sqlx::query(statement).execute(&app.db.pool).await.unwrap();
}

/// What the rejection does to the queue.
async fn others(app: &TestApp) -> &'static str {
    let query = "select case when refused_since is not null and probe_at > now() + interval '50 s'
                and probe_at <= now() + interval '60 s' then 'one a minute'
            when blocked_until > now() then 'pause' else 'go on' end
        from aftercall.provider_gate";
    let found: String = sqlx::query_scalar(query).fetch_one(&app.db.pool).await.unwrap();
    ["one a minute", "pause", "go on"].into_iter().find(|known| *known == found).unwrap()
}

#[tokio::test]
async fn each_refusal_of_a_submission_is_what_the_table_says() {
    let app = TestApp::start().await;
    let rows = table("Submissions");
    assert!(rows.len() > 30);
    for row in rows {
        let [status, codes, parameter, class, outcome, counts, state, queue] = &row[..] else {
            panic!("{row:?}")
        };
        for (what, answer) in answers(status, codes, parameter) {
            app.answer_submissions(answer).await;
            let id = app.submit().await;
            assert_eq!(app.dispatcher.drain().await, 1, "{what}");
            let job = app.job(id).await;
            assert_eq!(job["state"], **state, "{what}");
            let told = job["error"]["class"].as_str().unwrap_or("–");
            assert_eq!(told, class, "{what}");
            if class != "–" {
                assert_eq!(job["error"]["retryable"], *class != "validation", "{what}");
            }
            assert_eq!(app.attempt_outcomes(id).await, [&**outcome], "{what}");
            let query = "select failures from aftercall.jobs where id = $1";
            let failures: i32 =
                sqlx::query_scalar(query).bind(id).fetch_one(&app.db.pool).await.unwrap();
            assert_eq!(failures == 1, counts == "yes", "{what}");
            assert_eq!(others(&app).await, queue, "{what}");
            clear(&app).await;
            app.about(id, "delete from aftercall.jobs where id = $1").await;
        }
    }
}

#[tokio::test]
async fn each_answer_to_a_question_is_what_the_table_says() {
    let app = TestApp::start().await;
    let rows = table("Status requests");
    assert!(rows.len() > 8);
    for row in rows {
        let [status, codes, becomes] = &row[..] else { panic!("{row:?}") };
        for (what, answer) in answers(status, codes, "–") {
            app.answer_polls(answer).await;
            let job = app.submitted().await;
            app.make_due(job.id).await;
            app.reconciler.round().await.unwrap();
            let is_asked_again = becomes.starts_with("is polled again");
            let state = if is_asked_again { "submitted" } else { "queued" };
            assert_eq!(app.job(job.id).await["state"], state, "{what}");
            assert_ne!(others(&app).await, "one a minute", "{what}");
            clear(&app).await;
            app.about(job.id, "delete from aftercall.jobs where id = $1").await;
        }
    }
}

#[tokio::test]
async fn a_recording_in_the_request_that_is_too_large_for_somebody_ends_its_job() {
    let app = TestApp::start().await;
    app.answer_submissions(ResponseTemplate::new(413).set_body_string("<html>")).await;
    let body = json!({ "content": "UklGRg==", "encoding": "Wav" });
    let id = app.post("/v1/jobs", &body).await.id();
    app.dispatcher.drain().await;
    let job = app.job(id).await;
    assert_eq!((&job["state"], &job["error"]["class"]), (&json!("failed"), &json!("validation")));
}

fn forbidden() -> ResponseTemplate {
    let body =
        json!({ "errorCode": "CMN-401", "message": "application needs to have [AI] permission" });
    ResponseTemplate::new(403).set_body_json(body)
}

/// Makes the next probe due, and keeps the order of the jobs.
async fn a_minute_later(app: &TestApp) {
    for statement in [
        "update aftercall.provider_gate set probe_at = now() - interval '1 s' where probe_at is not null",
        "update aftercall.jobs set due_at = due_at - interval '61 s' where state = 'queued'",
    ] {
        sqlx::query(statement).execute(&app.db.pool).await.unwrap();
    }
}

async fn states(app: &TestApp, ids: &[Uuid]) -> Vec<String> {
    let query = "select state from aftercall.jobs where id = any($1) order by id";
    sqlx::query_scalar(query).bind(ids).fetch_all(&app.db.pool).await.unwrap()
}

#[tokio::test]
async fn while_all_are_refused_one_is_sent_a_minute_by_all_replicas_together() {
    let app = TestApp::with(|settings| {
        settings.dispatch.concurrency = 2;
        settings.dispatch.max_attempts = 1;
    })
    .await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(app.submit().await);
    }
    app.answer_submissions(forbidden()).await;
    let other = app.dispatcher.clone();
    assert_eq!(app.dispatcher.drain().await, 2);
    for minutes in 1..=4 {
        assert_eq!(other.drain().await, 0, "not before the minute is over");
        a_minute_later(&app).await;
        let (mine, others) = tokio::join!(app.dispatcher.drain(), other.drain());
        assert_eq!(mine + others, 1, "after {minutes} minutes");
    }
    assert_eq!(states(&app, &ids).await, ["queued"; 5]);
    assert_eq!(app.count("select sum(failures)::int8 from aftercall.jobs").await, 0);
    // Each probe submits a different job.
    let tried = "select count(distinct job_id) from aftercall.attempts";
    assert_eq!(app.count(tried).await, 5);

    app.accept_submissions().await;
    a_minute_later(&app).await;
    assert_eq!(app.dispatcher.drain().await, 5, "the first that is taken opens the gate");
    assert_eq!(states(&app, &ids).await, ["submitted"; 5]);
}

#[tokio::test]
async fn a_probe_that_found_no_job_is_made_with_the_next_one() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    app.answer_submissions(forbidden()).await;
    app.dispatcher.drain().await;
    a_minute_later(&app).await;
    app.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await;
    assert_eq!(app.dispatcher.drain().await, 0);
    app.accept_submissions().await;
    app.submit().await;
    assert_eq!(app.dispatcher.drain().await, 1);
}

#[tokio::test]
async fn a_refusal_for_what_a_job_is_opens_the_gate_as_well() {
    let app = TestApp::start().await;
    app.submit().await;
    app.answer_submissions(forbidden()).await;
    app.dispatcher.drain().await;
    let error = json!({ "errorCode": "CAI-101", "message": "no", "parameterName": "encoding" });
    let refusal = ResponseTemplate::new(400).set_body_json(json!({ "errors": [error] }));
    app.answer_submissions(refusal).await;
    let second = app.submit().await;
    a_minute_later(&app).await;
    assert_eq!(app.dispatcher.drain().await, 2);
    assert_eq!(app.job(second).await["state"], "failed");
}

#[tokio::test]
async fn a_job_that_waits_says_why_and_until_when_and_times_out_at_its_deadline() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    app.answer_submissions(forbidden()).await;
    app.dispatcher.drain().await;
    let job = app.job(id).await;
    let error = json!({
        "class": "auth", "code": "CMN-401", "message": "application needs to have [AI] permission",
        "retryable": true,
    });
    assert_eq!(job["error"], error);
    assert!(job["queue"]["blockedUntil"].is_string(), "{job}");
    assert_eq!(app.last_event(id).await["because"], "unauthorized");
    app.pass_deadline(id).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.job(id).await["state"], "timed_out");
}

#[tokio::test]
async fn a_login_that_is_refused_is_no_fault_of_the_jobs_either() {
    let app = TestApp::start().await;
    let body = json!({ "error": "invalid_client", "errors": [{ "errorCode": "OAU-153" }] });
    let refused = ResponseTemplate::new(400).set_body_json(body);
    app.stub("POST", aftercall::provider::wire::TOKEN_PATH, refused).await;
    let id = app.submit().await;
    assert_eq!(app.dispatcher.drain().await, 1);
    let error = app.job(id).await["error"].clone();
    assert_eq!(
        (&error["class"], &error["code"]),
        (&json!("auth"), &json!("invalid_client (OAU-153)"))
    );
    assert_eq!(others(&app).await, "one a minute");
    assert!(app.submissions().await.is_empty());
}

#[tokio::test]
async fn a_refused_question_ends_the_round() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        let job = app.submitted().await;
        app.make_due(job.id).await;
    }
    app.answer_polls(forbidden()).await;
    app.reconciler.round().await.unwrap();
    assert_eq!(app.polls().await.len(), 1);
    app.submit().await;
    assert_eq!(app.dispatcher.drain().await, 1, "submissions go on");
    assert_eq!(app.get("/readyz?verbose").await.status, StatusCode::OK);
}
