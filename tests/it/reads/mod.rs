//! Reads with a streaming replica: where they run, what they see, and what happens when the replica is behind, gone, or
//! not a replica.
mod faults;
mod servers;

use aftercall::{db::LoginRole, metrics::Metrics};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use self::servers::{Primary, Replica};
use crate::{
    process::{Home, Service},
    query::completed,
    support::{
        app::{RECORDING, TestApp},
        db::TestDb,
        eventually,
        exposition::Exposition,
    },
};

/// A service whose `read_url` is this. The replica must have what `db` was created with.
async fn app_reading(db: TestDb, url: String) -> TestApp {
    TestApp::on(db, |settings| settings.database.read_url = Some(url.into())).await
}

/// A service with a replica that it uses.
///
/// They are dropped from the last to the first: a database must not outlive its server.
async fn app_with_replica() -> (Primary, Replica, TestApp) {
    let primary = Primary::start().await;
    let db = primary.database().await;
    let replica = Replica::of(&primary).await;
    let url = replica.url(db.name());
    let app = app_reading(db, url).await;
    uses_replica(&app).await;
    (primary, replica, app)
}

fn scraped(metrics: &Metrics) -> Exposition {
    Exposition::of(metrics.encode().unwrap().unwrap())
}

/// Reads that ran there for this reason.
fn counted(metrics: &Metrics, target: &str, reason: &str) -> f64 {
    let labels = [("target", target), ("reason", reason)];
    scraped(metrics).get("aftercall_db_reads_total", &labels).unwrap_or_default()
}

fn on_replica(app: &TestApp) -> f64 {
    counted(&app.metrics, "replica", "none")
}

fn on_primary(app: &TestApp, reason: &str) -> f64 {
    counted(&app.metrics, "primary", reason)
}

/// `None` before the first look at the replica.
fn usable(metrics: &Metrics) -> Option<bool> {
    scraped(metrics).get("aftercall_db_replica_usable", &[]).map(|usable| usable > 0.0)
}

async fn is_usable(app: &TestApp, wanted: bool) {
    eventually("another state of the replica", async || {
        (usable(&app.metrics) == Some(wanted)).then_some(())
    })
    .await;
}

/// From now on, the next read may run there.
async fn uses_replica(app: &TestApp) {
    is_usable(app, true).await;
    eventually("a read on the replica", async || {
        let before = on_replica(app);
        assert_eq!(app.get("/v1/jobs").await.status, StatusCode::OK);
        (on_replica(app) > before).then_some(())
    })
    .await;
}

async fn ids(app: &TestApp) -> Vec<Value> {
    let page = app.get("/v1/jobs?limit=200").await.json();
    page["data"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect()
}

/// Submits a job and expects to find it in the list.
async fn submits_and_sees(app: &TestApp) {
    let body = json!({ "contentUri": RECORDING, "encoding": "Wav" });
    let submitted = app.post("/v1/jobs", &body).await;
    assert_eq!(submitted.status, StatusCode::ACCEPTED, "{submitted:?}");
    let id = submitted.json()["id"].clone();
    assert!(ids(app).await.contains(&id), "{id} is missing");
}

/// What `aftercall doctor` says of the replica.
async fn examined(home: &Home) -> Value {
    let out = home.run(&["doctor", "--json"]).await.out;
    let report: Value = serde_json::from_str(&out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == "read replica").unwrap().clone()
}

/// What sessions of the service on the server last asked.
async fn asked(replica: &Replica, app: &TestApp) -> Vec<String> {
    let sessions =
        "select query from pg_stat_activity where datname = current_database() and usename = $1";
    let mut db = replica.connect(app.db.name()).await;
    sqlx::query_scalar(sessions).bind("aftercall_runtime").fetch_all(&mut db).await.unwrap()
}

#[tokio::test]
async fn reads_run_on_the_replica_and_include_what_was_written_before() {
    let (_primary, replica, app) = app_with_replica().await;
    let done = app.submitted().await;
    let paths = [
        "/v1/jobs".to_owned(),
        "/v1/jobs/counts".to_owned(),
        "/v1/search?q=hello".to_owned(),
        "/v1/stats/jobs?groupBy=day&from=2026-01-01&to=2026-02-01".to_owned(),
        "/v1/suggestions?field=tag".to_owned(),
        "/v1/exports/jobs.ndjson".to_owned(),
        "/v1/exports/utterances.ndjson".to_owned(),
        format!("/v1/jobs/{}/timeline", done.id),
    ];
    for path in &paths {
        let before = on_replica(&app);
        assert_eq!(app.get(path).await.status, StatusCode::OK, "{path}");
        assert!(on_replica(&app) > before, "{path} did not ask the replica");
    }
    let asked = asked(&replica, &app).await;
    assert!(asked.iter().any(|query| query.contains("aftercall.job")), "{asked:?}");

    // Eight callers at a time, so that they share answers about how far the primary is.
    let many = (0..8).map(|_| async {
        for _ in 0..10 {
            submits_and_sees(&app).await;
        }
    });
    futures_util::future::join_all(many).await;
    assert_eq!(ids(&app).await.len(), 81);
}

#[tokio::test]
async fn a_process_reads_from_its_replica_and_the_doctor_examines_it() {
    let (_primary, replica, app) = app_with_replica().await;
    let url = replica.url(app.db.name());
    let home = Home::on(&app.db).set("AFTERCALL__DATABASE__READ_URL", url);
    let service = Service::start(&home).await;
    eventually("reads on the replica", async || {
        service.get("/v1/jobs").await;
        let metrics = service.http.get(format!("{}/metrics", service.ops)).send().await.unwrap();
        let metrics = Exposition::of(metrics.text().await.unwrap());
        let labels = [("target", "replica"), ("reason", "none")];
        metrics.get("aftercall_db_reads_total", &labels).filter(|count| *count > 0.0)
    })
    .await;
    assert_eq!(examined(&home).await["verdict"], "ok");
    replica.order("select pg_wal_replay_pause()").await;
    submits_and_sees(&app).await;
    assert_eq!(examined(&home).await["verdict"], "warn");
    let home = home.set("AFTERCALL__DATABASE__READ_URL", replica.url("postgres"));
    assert_eq!(examined(&home).await["verdict"], "fail");
}

#[tokio::test]
async fn dashboards_read_the_views_on_the_replica() {
    let (_primary, replica, app) = app_with_replica().await;
    let options = replica.options(app.db.name()).username(LoginRole::Reader.name());
    let mut db = PgConnection::connect_with(&options).await.unwrap();
    let views =
        "select format('%I.%I', schemaname, viewname) from pg_views where schemaname = 'reporting'";
    let views: Vec<String> = sqlx::query_scalar(views).fetch_all(&mut db).await.unwrap();
    assert!(views.len() > 5, "{views:?}");
    for view in views {
        let all = AssertSqlSafe(format!("select * from {view}"));
        assert!(sqlx::raw_sql(all).execute(&mut db).await.is_ok(), "{view}");
    }
}

#[tokio::test]
async fn results_come_from_the_replica_as_soon_as_they_are_stored() {
    let (_primary, _replica, app) = app_with_replica().await;
    for _ in 0..3 {
        let id = completed(&app).await;
        for part in ["result", "speakers", "utterances", "insights", "shape", "transcript"] {
            let before = on_replica(&app);
            let answer = app.get(&format!("/v1/jobs/{id}/{part}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{part}: {answer:?}");
            assert!(on_replica(&app) > before, "{part} did not ask the replica");
        }
    }
}

#[tokio::test]
async fn without_a_replica_nothing_is_counted() {
    let app = TestApp::start().await;
    submits_and_sees(&app).await;
    let scraped = scraped(&app.metrics);
    let of_replicas = |name: &str| name.starts_with("aftercall_db_re");
    assert!(!scraped.series.iter().any(|series| of_replicas(&series.name)), "{}", scraped.text);
}
