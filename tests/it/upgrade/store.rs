//! Writes what later versions must keep serving: rows of every table, and the responses to queries about them.
use std::{fmt::Write as _, fs, process::Command};

use aftercall::{
    callers::{self, KeyTerms, Scope},
    db::MIGRATOR,
    stats,
};
use chrono::{Days, NaiveDate};
use clap::ValueEnum as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{folders, get};
use crate::support::app::{RECORDING, Submitted, TestApp, webhook_of};

/// Statements that create the partitions of the rows, and empty every table.
const HEAD: &str = "
    select string_agg(line, E';\\n') from (
        select format('create table if not exists aftercall.%I partition of aftercall.%I %s',
            c.relname, p.relname, pg_get_expr(c.relpartbound, c.oid)) as line
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid and c.relkind = 'r'
        join pg_class p on p.oid = i.inhparent
        where c.relname like '%' || to_char(now() at time zone 'UTC', '_\"y\"YYYY\"m\"MM')
        union all
        select format('truncate %s', string_agg(format('aftercall.%I', relname), ', ' order by relname))
        from pg_class
        where relnamespace = 'aftercall'::regnamespace and relkind in ('r', 'p')
            and not relispartition and relname <> 'schema_migrations'
        order by 1) lines";

/// The tables without a row.
const EMPTY: &str = "
    select coalesce(string_agg(relname, ', '), '') from pg_class
    where relnamespace = 'aftercall'::regnamespace and relkind in ('r', 'p') and not relispartition
        and relname not in ('write_probe', 'schema_migrations')
        and query_to_xml(format('select from aftercall.%I limit 1', relname), false, true, '')::text = ''";

/// Three completed jobs with different languages and tags, a failed one, a canceled one, one whose delivery is in
/// quarantine, a queued one with its recording, and one that waits for its result, which is returned.
async fn stored(app: &TestApp) -> Submitted {
    for (number, language) in ["en-US", "de-DE", "en-US"].into_iter().enumerate() {
        let request = json!({ "contentUri": RECORDING, "encoding": "Wav", "languageCode": language,
            "audioType": "Meeting", "externalId": format!("call-{number}"),
            "metadata": { "number": number }, "tags": ["all", format!("n-{number}")] });
        let id = app.post("/v1/jobs", &request).await.id();
        assert_eq!(app.dispatcher.drain().await, 1);
        let webhook = webhook_of(app.submissions().await.last().unwrap());
        let emotion = |name| json!([{ "name": "Emotion", "value": name, "confidence": 0.7 }]);
        let timings = json!([{ "word": "A", "start": 1, "end": 1.5, "confidence": 0.9 }]);
        let result = json!({ "status": "Success", "response": {
            "utteranceInsights": [
                { "start": 0, "end": 2, "text": "Ich suche refunds", "speakerId": "0",
                  "confidence": 0.9, "insights": emotion("Neutral") },
                { "start": 1, "end": 4, "text": "A refund?", "speakerId": "1",
                  "wordTimings": timings, "insights": emotion("Anger") },
            ],
            "speakerInsights": { "speakerCount": 2, "insights": [
                { "name": "Energy", "values": [{ "speakerId": "0", "value": 86.64 }] },
                { "name": "QuestionsAsked", "values": [{ "speakerId": "1", "value": 1,
                    "questions": [{ "text": "A refund?", "start": 1, "end": 4 }] }] },
            ] },
            "conversationalInsights": [
                { "name": "Topics", "values": [{ "value": "refund", "start": 0, "end": 4 }] },
                { "name": "Novelty", "values": [{ "value": "new", "confidence": 0.5 }] },
            ],
        } });
        for _ in 0..2 {
            assert_eq!(app.deliver(&webhook, result.to_string()).await.status, 200);
        }
        let speakers = app.request("PUT", &format!("/v1/jobs/{id}/speakers"));
        let named = app.send(speakers, json!({ "0": "Rachel" }).to_string()).await;
        assert_eq!(named.status, 200);
    }
    // Some of the changes are in the sums, others not yet.
    stats::merge(&app.db.pool, 100).await.unwrap();
    app.recorder.write().await;
    let failed = app.submitted_as("failed").await;
    let failure = json!({ "status": "Fail", "response": { "message": "no" } }).to_string();
    assert_eq!(app.deliver(&failed.webhook, failure).await.status, 200);
    let canceled = app.submit().await;
    let answer = app.ask(app.request("POST", &format!("/v1/jobs/{canceled}/cancel"))).await;
    assert_eq!(answer.status, 200);
    let unread = app.submitted_as("unread").await;
    assert_eq!(app.deliver(&unread.webhook, "{").await.status, 200);
    let waiting = app.submitted_as("waiting").await;
    let request = json!({ "content": "UklGRg==", "encoding": "Wav", "externalId": "queued" });
    let keyed = app.request("POST", "/v1/jobs").header("idempotency-key", "queued");
    assert_eq!(app.send(keyed, request.to_string()).await.status, 202);
    waiting
}

/// Every kind of query about these jobs, with fixed days where the default depends on today.
async fn questions(app: &TestApp, key: &str) -> Vec<String> {
    let jobs = get(app, key, "/v1/jobs?sort=createdAt").await;
    let jobs = jobs["data"].as_array().unwrap();
    assert_eq!(jobs.len(), 8);
    let day: NaiveDate = jobs[0]["createdAt"].as_str().unwrap()[..10].parse().unwrap();
    let next = day + Days::new(1);
    let first = get(app, key, "/v1/jobs?limit=5").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let mut questions: Vec<_> = [
        "jobs?limit=5",
        "jobs?tag=n-1&language=de-DE",
        "jobs?audioType=Meeting&minSpeakers=2&hasEmotion=Anger&hasInsight=Topics",
        "jobs?externalId=call-2",
        "jobs?status=failed&status=canceled",
        "jobs?sort=-completedAt&completedAfter=2020-01-01T00:00:00Z",
        "search?q=refund",
        "search?q=suchen&language=de-DE",
        "search?q=refund&speaker=1&tag=n-2&sort=-createdAt",
        "exports/jobs.ndjson",
        "exports/utterances.ndjson?hasEmotion=Anger",
        "admin/deliveries",
        "admin/deliveries?quarantined=true",
        "admin/drift",
    ]
    .map(|question| format!("/v1/{question}"))
    .into();
    questions.push(format!("/v1/jobs?limit=5&cursor={cursor}"));
    for group in ["tag", "language", "audioType", "emotion", "day", "insight&insight=Topics"] {
        questions.push(format!("/v1/stats/jobs?from={day}&to={next}&groupBy={group}"));
    }
    let own = |job: &Value, what| format!("/v1/jobs/{}{what}", job["id"].as_str().unwrap());
    questions.extend(jobs.iter().map(|job| own(job, "/timeline")));
    let completed = jobs.iter().find(|job| job["state"] == "completed").unwrap();
    for what in ["", "/result", "/utterances", "/insights", "/speakers", "/shape"] {
        questions.push(own(completed, what));
    }
    questions.push(own(completed, "/transcript?format=txt"));
    questions
}

/// All rows, as statements that run on any version of Postgres and in any month.
async fn dump(app: &TestApp) -> String {
    let empty: String = sqlx::query_scalar(EMPTY).fetch_one(&app.db.pool).await.unwrap();
    assert_eq!(empty, "");
    let options = app.db.connect_options();
    let dumped = Command::new("pg_dump")
        .args(["--data-only", "--column-inserts", "--rows-per-insert=100", "--no-owner"])
        .args(["--load-via-partition-root", "--schema=aftercall"])
        .args(["--exclude-table=aftercall.schema_migrations", "--host"])
        .arg(options.get_socket().unwrap())
        .args(["--username", options.get_username(), app.db.name()])
        .output()
        .unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let head: String = sqlx::query_scalar(HEAD).fetch_one(&app.db.pool).await.unwrap();
    let mut rows = String::new();
    writeln!(rows, "-- Written by `cargo test --test it upgrade::store -- --ignored`.").unwrap();
    writeln!(rows, "set session_replication_role = replica;\n{head};").unwrap();
    // Comments, instructions to psql, and settings of this version of Postgres.
    let left_out = ["--", "\\", "SET ", "SELECT pg_catalog.set_config("];
    let dumped = String::from_utf8(dumped.stdout).unwrap();
    for line in dumped.lines() {
        if !line.is_empty() && !left_out.iter().any(|start| line.starts_with(start)) {
            writeln!(rows, "{line}").unwrap();
        }
    }
    rows
}

#[tokio::test]
#[ignore = "writes into tests/fixtures"]
async fn what_this_version_leaves() {
    let app = TestApp::start().await;
    let terms = KeyTerms { scopes: Scope::value_variants(), ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, "app", "upgrade", terms).await.unwrap();
    let key = key.text.expose_secret().to_owned();
    let waiting = stored(&app).await;
    let mut bodies = Vec::new();
    for question in questions(&app, &key).await {
        let body = get(&app, &key, &question).await;
        bodies.push(format!("{}:{body}", Value::String(question)));
    }
    let rows = dump(&app).await;
    let newest = MIGRATOR.iter().last().unwrap().version;
    let folder = folders().join(newest.to_string());
    fs::create_dir(&folder).expect("a new folder; remove one that has not landed yet");
    fs::write(folder.join("rows.sql"), rows).unwrap();
    let (key, waiting) = (json!(key), json!([waiting.id, waiting.webhook]));
    let bodies = bodies.join(",\n");
    let responses =
        format!("{{\"key\":{key},\"waiting\":{waiting},\"bodies\":{{\n{bodies}\n}}}}\n");
    fs::write(folder.join("responses.json"), responses).unwrap();
}
