//! `aftercall reparse`: results of earlier parsers are recomputed from the stored bytes.
use std::io::Write as _;

use aftercall::provider::PARSER_VERSION;
use axum::http::{Request, header};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Home;
use crate::{
    admin::once_unreadable,
    support::{answer::Answer, app::TestApp, eventually, fixture},
};

fn success() -> String {
    fixture("seed/success.json")
}

/// Everything the API serves of a result.
async fn served(app: &TestApp, id: Uuid) -> Vec<Answer> {
    let mut parts = Vec::new();
    for part in ["result", "utterances", "speakers", "insights"] {
        parts.push(app.get(&format!("/v1/jobs/{id}/{part}")).await);
    }
    parts
}

fn bodies(served: &[Answer]) -> Vec<Value> {
    served.iter().map(Answer::json).collect()
}

/// Makes all results look as if written by an earlier, faulty parser.
async fn spoil(app: &TestApp) {
    for statement in [
        "update aftercall.results set parser_version = 0, document = '{}', is_partial = true,
            document_sha = sha256('{}')",
        "update aftercall.utterances set text = 'nonsense', emotion = null",
        "insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text)
            select job_id, 999, 0, 1, 'never said' from aftercall.results",
        "delete from aftercall.speakers",
        "delete from aftercall.speaker_insights",
        "update aftercall.conversation_insights set name = name || '?', value = ''",
    ] {
        sqlx::query(statement).execute(&app.db.pool).await.unwrap();
    }
}

/// Jobs completed in every possible way, oldest first.
async fn completed(app: &TestApp) -> Vec<Uuid> {
    let plain = app.submitted().await;
    app.deliver(&plain.webhook, success()).await;

    let zipped = app.submitted().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(fixture("delivery-2023.json").replace("@jobId", "rc-2").as_bytes()).unwrap();
    let request = Request::post(&zipped.webhook).header(header::CONTENT_ENCODING, "gzip");
    Answer::of(&app.webhook, request.body(encoder.finish().unwrap().into()).unwrap()).await;

    let replayed = app.submitted().await;
    let delivery = once_unreadable(app, &replayed, &success()).await;
    let home = Home::on(&app.db);
    home.run(&["replay", &delivery.to_string()]).await.success();

    let retried = app.submitted().await;
    app.deliver(&retried.webhook, fixture("seed/failure.json")).await;
    app.post(&format!("/v1/jobs/{}/retry", retried.id), &Value::Null).await;
    app.deliver(&retried.webhook, success()).await;
    vec![plain.id, zipped.id, replayed.id, retried.id]
}

#[tokio::test]
async fn results_are_made_anew_from_the_bytes_they_came_from() {
    let app = TestApp::start().await;
    let home = Home::on(&app.db);
    let jobs = completed(&app).await;
    let mut before = Vec::new();
    for id in &jobs {
        before.push((served(&app, *id).await, app.job(*id).await));
    }
    spoil(&app).await;
    for (id, (parts, _)) in jobs.iter().zip(&before) {
        assert_ne!(bodies(&served(&app, *id).await), bodies(parts));
    }

    let counted = home.run(&["reparse", "--since", "1d", "--dry-run"]).await.success();
    assert_eq!(counted, "matched 4\n");
    assert_eq!(served(&app, jobs[0]).await[0].body, "{}", "a dry run changes nothing");
    let told = home.run(&["reparse", "--since", "1d"]).await.success();
    assert_eq!(told, "reparsed 4\nunreadable 0\n");
    for (id, (parts, job)) in jobs.iter().zip(&before) {
        let anew = served(&app, *id).await;
        assert_eq!(bodies(&anew), bodies(parts));
        assert_eq!(anew[0].header("etag"), parts[0].header("etag"));
        let after = app.job(*id).await;
        assert_eq!(
            (&after["state"], &after["finishedAt"]),
            (&json!("completed"), &job["finishedAt"])
        );
        assert_eq!(after["version"], job["version"].as_i64().unwrap() + 1);
        assert_eq!(app.timeline(*id).await.last().unwrap(), "reparsed");
        assert_eq!(app.last_event(*id).await, json!({ "from": 0, "to": PARSER_VERSION }));
    }
    assert_eq!(app.count("select count(*) from aftercall.results where is_partial").await, 0);

    let again = home.run(&["reparse", "--since", "1d"]).await.success();
    assert_eq!(again, "reparsed 0\nunreadable 0\n");
    assert_eq!(app.job(jobs[0]).await["version"], before[0].1["version"].as_i64().unwrap() + 1);
}

#[tokio::test]
async fn a_result_that_cannot_be_read_any_more_is_kept() {
    let app = TestApp::start().await;
    let home = Home::on(&app.db);
    let (first, second) = (app.submitted().await, app.submitted().await);
    app.deliver(&first.webhook, success()).await;
    app.deliver(&second.webhook, success()).await;
    let before = (served(&app, first.id).await, app.job(first.id).await["version"].clone());
    app.about(first.id, "update aftercall.deliveries set body = '{' where job_id = $1").await;
    sqlx::query("update aftercall.results set parser_version = 0")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let told = home.run(&["reparse", "--since", "1d"]).await.success();
    assert_eq!(told, "reparsed 1\nunreadable 1\n");
    assert_eq!(bodies(&served(&app, first.id).await), bodies(&before.0));
    assert_eq!(app.job(first.id).await["version"], before.1);
}

#[tokio::test]
async fn results_are_chosen_by_job_and_by_when_they_were_stored() {
    let app = TestApp::start().await;
    let home = Home::on(&app.db);
    let jobs = [app.submitted().await, app.submitted().await];
    for job in &jobs {
        app.deliver(&job.webhook, success()).await;
    }
    spoil(&app).await;
    let old = "update aftercall.results set created_at = now() - interval '10 days'
        where job_id = $1";
    app.about(jobs[0].id, old).await;
    let id = jobs[1].id.to_string();
    for (choice, matched) in [
        (&["--since", "7d"][..], 1),
        (&["--since", "11d"], 2),
        (&["--since", "11d", "--until", "7d"], 1),
        (&["--since", "2000-01-01T00:00:00Z"], 2),
        (&["--job", &id], 1),
        (&["--job", &id, "--until", "7d"], 0),
    ] {
        let told = home.run(&[&["reparse", "--dry-run"], choice].concat()).await.success();
        assert_eq!(told, format!("matched {matched}\n"), "{choice:?}");
    }
    let told = home.run(&["reparse", "--job", &id]).await.success();
    assert_eq!(told, "reparsed 1\nunreadable 0\n");
    let told = home.run(&["reparse", "--since", "11d"]).await.success();
    assert_eq!(told, "reparsed 1\nunreadable 0\n");
    let kept =
        "select count(*) from aftercall.results where created_at < now() - interval '9 days'";
    assert_eq!(app.count(kept).await, 1, "when it was first stored is not forgotten");
}

#[tokio::test]
async fn killed_between_batches_it_goes_on_where_it_was() {
    let app = TestApp::start().await;
    let home = Home::on(&app.db);
    // Two of them fill a batch.
    let large = success() + &" ".repeat(600 * 1024);
    let mut jobs = Vec::new();
    for _ in 0..4 {
        let job = app.submitted().await;
        app.deliver(&job.webhook, large.clone()).await;
        jobs.push(job.id);
    }
    spoil(&app).await;
    let mut held = app.db.pool.begin().await.unwrap();
    sqlx::query("select from aftercall.jobs where id = $1 for update")
        .bind(jobs[2])
        .execute(&mut *held)
        .await
        .unwrap();
    let mut run = home.start(["reparse", "--since", "1d"]);
    let done = "select count(*) from aftercall.results where parser_version > 0";
    eventually("the first batch", async || (app.count(done).await == 2).then_some(())).await;
    run.kill_hard();
    drop(run);
    held.rollback().await.unwrap();

    assert_eq!(app.count("select count(*) from aftercall.results").await, 4);
    let rest = home.run(&["reparse", "--since", "1d", "--dry-run"]).await.success();
    assert_eq!(rest, "matched 2\n");
    let told = home.run(&["reparse", "--since", "1d"]).await.success();
    assert_eq!(told, "reparsed 2\nunreadable 0\n");
    for id in jobs {
        let kinds = app.timeline(id).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "reparsed").count(), 1, "{kinds:?}");
    }
}

#[tokio::test]
async fn two_runs_at_once_make_each_result_anew_once() {
    let app = TestApp::start().await;
    let home = Home::on(&app.db);
    let mut jobs = Vec::new();
    for _ in 0..20 {
        let job = app.submitted().await;
        app.deliver(&job.webhook, success()).await;
        jobs.push(job.id);
    }
    spoil(&app).await;
    let run = || home.run(&["reparse", "--since", "1d"]);
    let (one, other) = tokio::join!(run(), run());
    let count = |told: String| -> usize {
        let line = told.lines().next().unwrap().strip_prefix("reparsed ").unwrap().to_owned();
        line.parse().unwrap()
    };
    assert_eq!(count(one.success()) + count(other.success()), 20);
    for id in jobs {
        let kinds = app.timeline(id).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "reparsed").count(), 1, "{kinds:?}");
    }
    let rows = "select count(*) from aftercall.utterances where text = 'nonsense' or seq = 999";
    assert_eq!(app.count(rows).await, 0);
}
