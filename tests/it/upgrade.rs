//! Data stored by an earlier version is served as if this version had stored it.
use aftercall::{
    admin::replay::Replayer,
    callers::{self, KeyTerms},
    config,
    db::MIGRATOR,
    deliveries::Filter,
    http::Limit,
    jobs::Announcer,
};
use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolCopyExt as _};
use uuid::Uuid;

use crate::support::{
    answer::Answer,
    app::{RECORDING, Submitted, TestApp, webhook_of},
    db::TestDb,
    fixture,
};

/// The last migration of the version whose only query was a job by id.
const EARLIER: i64 = 8;

/// The tables of that version and their columns, except generated ones.
const TABLES: &str = "
    select format('%I.%I', table_schema, table_name),
        string_agg(quote_ident(column_name), ', ' order by ordinal_position)
    from information_schema.columns
    join information_schema.tables using (table_schema, table_name)
    where table_schema = 'aftercall' and table_type = 'BASE TABLE' and is_generated = 'NEVER'
        and table_name <> 'schema_migrations' and not (select relispartition from pg_class
            where oid = format('%I.%I', table_schema, table_name)::regclass)
    group by 1";

/// Replaces the rows in `to` with those in `from`.
async fn copy(from: &PgPool, to: &PgPool) {
    let tables: Vec<(String, String)> = sqlx::query_as(TABLES).fetch_all(to).await.unwrap();
    let mut to = to.acquire().await.unwrap();
    // Foreign keys and triggers are off, since everything that follows from a row is copied too.
    let run = |statement: String| sqlx::raw_sql(AssertSqlSafe(statement));
    run("set session_replication_role = replica".to_owned()).execute(&mut *to).await.unwrap();
    for (table, columns) in tables {
        run(format!("delete from {table}")).execute(&mut *to).await.unwrap();
        let query = format!("copy (select {columns} from {table}) to stdout");
        let rows: Vec<_> = from.copy_out_raw(&query).await.unwrap().try_collect().await.unwrap();
        let mut into =
            to.copy_in_raw(&format!("copy {table} ({columns}) from stdin")).await.unwrap();
        into.send(rows.concat()).await.unwrap();
        into.finish().await.unwrap();
    }
    run("reset session_replication_role".to_owned()).execute(&mut *to).await.unwrap();
}

/// Three completed jobs with different languages and tags, a failed one and a canceled one.
async fn stored(app: &TestApp) {
    for (number, language) in ["en-US", "de-DE", "en-US"].into_iter().enumerate() {
        let request = json!({ "contentUri": RECORDING, "encoding": "Wav", "languageCode": language,
            "audioType": "Meeting", "externalId": format!("call-{number}"),
            "tags": ["all", format!("n-{number}")] });
        app.post("/v1/jobs", &request).await.id();
        assert_eq!(app.dispatcher.drain().await, 1);
        let webhook = webhook_of(app.submissions().await.last().unwrap());
        let anger = json!([{ "name": "Emotion", "value": "Anger", "confidence": 0.7 }]);
        let result = json!({ "status": "Success", "response": {
            "utteranceInsights": [
                { "start": 0, "end": 2, "text": "Ich suche refunds", "speakerId": "0" },
                { "start": 1, "end": 4, "text": "A refund?", "speakerId": "1", "insights": anger },
            ],
            "conversationalInsights": [
                { "name": "Topics", "values": [{ "value": "refund", "start": 0, "end": 4 }] },
            ],
        } });
        assert_eq!(app.deliver(&webhook, result.to_string()).await.status, 200);
    }
    let failed = app.submitted().await;
    let failure = json!({ "status": "Fail", "response": { "message": "no" } }).to_string();
    assert_eq!(app.deliver(&failed.webhook, failure).await.status, 200);
    let canceled = app.submit().await;
    let answer = app.ask(app.request("POST", &format!("/v1/jobs/{canceled}/cancel"))).await;
    assert_eq!(answer.status, 200);
}

/// Every kind of query about these jobs.
async fn questions(app: &TestApp) -> Vec<String> {
    let list = app.get("/v1/jobs").await.json();
    let jobs = list["data"].as_array().unwrap();
    assert_eq!(jobs.len(), 5);
    let mut questions: Vec<_> = [
        "jobs?tag=all",
        "jobs?tag=n-1&language=de-DE",
        "jobs?audioType=Meeting&minSpeakers=2",
        "jobs?hasEmotion=Anger&hasInsight=Topics",
        "jobs?externalId=call-2",
        "jobs?status=failed&status=canceled",
        "jobs?sort=-completedAt&completedAfter=2020-01-01T00:00:00Z",
        "search?q=refund",
        "search?q=suchen&language=de-DE",
        "search?q=refund&speaker=1&tag=n-2&sort=-createdAt",
        "stats/jobs",
        "stats/jobs?groupBy=tag",
        "stats/jobs?groupBy=language",
        "stats/jobs?groupBy=day",
        "stats/jobs?groupBy=emotion",
        "stats/jobs?groupBy=insight&insight=Topics",
        "exports/jobs.ndjson",
        "exports/utterances.ndjson?hasEmotion=Anger",
    ]
    .map(|question| format!("/v1/{question}"))
    .into();
    for job in jobs {
        let own = |what| format!("/v1/jobs/{}{what}", job["id"].as_str().unwrap());
        questions.extend(["", "/timeline"].map(own));
        if job["state"] == "completed" {
            let of_results = ["/result", "/utterances", "/insights", "/speakers", "/shape"];
            questions.extend(of_results.map(own));
            questions.push(own("/transcript?format=txt"));
        }
    }
    questions
}

async fn ask(api: &Router, app: &TestApp, question: &str) -> Bytes {
    let request = app.request("GET", question).body(Body::empty()).unwrap();
    let answer = Answer::of(api, request).await;
    assert_eq!(answer.status, 200, "{question}: {answer:?}");
    answer.body
}

#[tokio::test]
async fn what_an_earlier_version_stored_is_found_in_every_way() {
    let app = TestApp::start().await;
    stored(&app).await;
    let upgraded = TestDb::at(EARLIER).await;
    copy(&app.db.pool, &upgraded.pool).await;
    MIGRATOR.run(&upgraded.pool).await.unwrap();
    let (api, _) = app.another_process(&upgraded.pool).await;
    for question in questions(&app).await {
        let answer = ask(&app.api, &app, &question).await;
        assert_eq!(ask(&api, &app, &question).await, answer, "{question}");
    }
}

/// The last version that did not distinguish results by attempt.
const TOLD_APART_BY_BYTES: i64 = 16;

#[tokio::test]
async fn what_was_taken_for_a_duplicate_of_another_attempt_can_be_replayed() {
    let app = TestApp::start().await;
    let (open, done) = (app.submitted().await, app.submitted().await);
    app.deliver(&done.webhook, fixture("seed/success.json")).await;
    let upgraded = TestDb::at(TOLD_APART_BY_BYTES).await;
    copy(&app.db.pool, &upgraded.pool).await;
    // Numbers of changes restart.
    sqlx::query("select aftercall.merge_stats(null)").execute(&upgraded.pool).await.unwrap();
    let failure = fixture("seed/failure.json");
    for (job, attempt, outcome, body) in [
        (&open, 1, "late", Some(&failure)),
        (&open, 1, "duplicate", None),
        (&open, 2, "duplicate", None),
        (&open, 2, "duplicate", None),
        (&done, 2, "late", Some(&failure)),
        (&done, 3, "duplicate", None),
    ] {
        let insert = "insert into aftercall.deliveries
            (job_id, id, attempt, via, outcome, headers, body, body_sha, body_bytes)
            select $1, $2, $3, 'webhook', $4, '{}', convert_to($5, 'UTF8'),
                sha256(convert_to($6, 'UTF8')), octet_length($6)";
        let insert = sqlx::query(insert).bind(job.id).bind(Uuid::now_v7()).bind(attempt);
        let insert = insert.bind(outcome).bind(body).bind(&failure);
        insert.execute(&upgraded.pool).await.unwrap();
    }
    MIGRATOR.run(&upgraded.pool).await.unwrap();
    let query = "select outcome from aftercall.deliveries where job_id = $1 order by id";
    let outcomes = async |job: &Submitted| -> Vec<String> {
        sqlx::query_scalar(query).bind(job.id).fetch_all(&upgraded.pool).await.unwrap()
    };
    assert_eq!(outcomes(&open).await, ["late", "duplicate", "malformed", "duplicate"]);
    assert_eq!(outcomes(&done).await, ["accepted", "late", "superseded"]);

    let filter = Filter { quarantined: Some(true), ..Filter::default() };
    let limits = config::load(None).unwrap().settings.text_limits();
    let (db, announcer) = (&upgraded.pool, &Announcer::default());
    let replayer = Replayer { db, announcer, limits, accept_mismatch: false, by: "a test" };
    let summary = replayer.page(&filter, None, Limit::default()).await.unwrap();
    assert_eq!(summary.outcomes, [("accepted", 1)].into());
    let state = "select state from aftercall.jobs where id = $1";
    let state: String =
        sqlx::query_scalar(state).bind(open.id).fetch_one(&upgraded.pool).await.unwrap();
    assert_eq!(state, "failed");
}

/// The last version that kept an Idempotency-Key per API key instead of per caller.
const BY_API_KEY: i64 = 18;

/// How that version stores a key.
const STORE_BY_API_KEY: &str = "
    insert into aftercall.idempotency_keys as k (api_key_id, route, key, fingerprint, location, body)
    select id, 'POST /v1/jobs', $2, sha256('{}'), $3, '{}' from aftercall.api_keys where name = $1
    on conflict on constraint idempotency_keys_pkey do update set
        fingerprint = excluded.fingerprint, location = excluded.location, created_at = now()
        where k.created_at < now() - interval '24 hours'";

async fn store_by_api_key(db: &TestDb, api_key: &str, key: &str, location: &str) -> u64 {
    let store = sqlx::query(STORE_BY_API_KEY).bind(api_key).bind(key).bind(location);
    store.execute(&db.pool).await.unwrap().rows_affected()
}

#[tokio::test]
async fn idempotency_keys_become_the_callers_and_the_newest_counts() {
    let upgraded = TestDb::at(BY_API_KEY).await;
    for (caller, name) in [("app", "a"), ("app", "b"), ("other", "c")] {
        callers::create(&upgraded.pool, caller, name, KeyTerms::default()).await.unwrap();
    }
    for (api_key, location) in [("b", "/old"), ("a", "/new"), ("c", "/other")] {
        store_by_api_key(&upgraded, api_key, "order-7", location).await;
    }
    MIGRATOR.run(&upgraded.pool).await.unwrap();
    let of_callers = async || -> Vec<String> {
        let query = "select location from aftercall.idempotency_keys k
            join aftercall.callers c on c.id = k.caller_id order by k.key, c.name";
        sqlx::query_scalar(query).fetch_all(&upgraded.pool).await.unwrap()
    };
    assert_eq!(of_callers().await, ["/new", "/other"]);

    // The earlier version runs on for a while, and must find its own keys.
    assert_eq!(store_by_api_key(&upgraded, "b", "order-7", "/again").await, 0);
    for (api_key, location) in [("a", "/first"), ("b", "/second")] {
        assert_eq!(store_by_api_key(&upgraded, api_key, "order-8", location).await, 1);
    }
    assert_eq!(of_callers().await, ["/new", "/other", "/second"]);
    let grow_old = "set local session_replication_role = replica;
        update aftercall.idempotency_keys set created_at = now() - interval '25 h'";
    sqlx::raw_sql(grow_old).execute(&upgraded.pool).await.unwrap();
    assert_eq!(store_by_api_key(&upgraded, "a", "order-8", "/third").await, 1);
    assert_eq!(of_callers().await, ["/new", "/other", "/third"]);
}
