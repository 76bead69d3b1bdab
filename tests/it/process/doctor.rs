//! `aftercall doctor`, on a service that is well and on ones that are not.

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::net::TcpListener;

use super::{Home, Service, free_port};
use crate::support::{db::TestDb, tls};

/// The line of a check, as JSON.
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|found| found["check"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"))
}

/// Exit code and report.
async fn examined(home: &Home) -> (Option<i32>, Value) {
    let ended = home.run(&["doctor", "--json"]).await;
    let report = serde_json::from_str(&ended.out);
    (ended.code, report.unwrap_or_else(|_| panic!("{}{}", ended.out, ended.err)))
}

/// A service on ports that the command knows.
fn on_fixed_ports(db: &TestDb) -> Home {
    Home::on(db)
        .set("AFTERCALL__WEBHOOK__LISTEN", format!("127.0.0.1:{}", free_port()))
        .set("AFTERCALL__SANDBOX__LISTEN", format!("127.0.0.1:{}", free_port()))
}

#[tokio::test]
async fn a_service_that_is_well_passes() {
    let db = TestDb::new().await;
    let prometheus = serve(Router::new().route(
        "/api/v1/query",
        get(async || {
            let targets = json!([{ "value": [0, "1"] }, { "value": [0, "0"] }]);
            Json(json!({ "status": "success", "data": { "result": targets } }))
        }),
    ))
    .await;
    let home = on_fixed_ports(&db).set("AFTERCALL__OPS__PROMETHEUS_URL", &prometheus);
    let service = Service::start(&home).await;
    let (code, report) = examined(&home).await;
    assert_eq!((code, &report["verdict"]), (Some(0), &json!("warn")), "{report:#}");
    for name in [
        "configuration",
        "database",
        "extensions",
        "clock",
        "migrations",
        "partitions",
        "disk",
        "media",
    ] {
        assert_eq!(check(&report, name)["verdict"], "ok", "{report:#}");
    }
    let told = check(&report, "webhook");
    assert_eq!(told["verdict"], "ok", "{told}");
    assert!(told["detail"].as_str().unwrap().contains("Validation-Token echoed"), "{told}");
    let told = check(&report, "provider");
    assert_eq!(told["detail"], "the sandbox answers; no provider is configured");
    assert_eq!(check(&report, "prometheus")["detail"], "reached; 1 of 2 targets are up");

    let text = home.run(&["doctor"]).await.success();
    assert!(text.contains("\nok    database         PostgreSQL "), "{text}");
    assert!(!text.contains('\x1b'), "colors are for terminals");
    let calls = "select calls_total - polls_total, polls_total from aftercall.provider_gate";
    let calls: (i64, i64) = sqlx::query_as(calls).fetch_one(&db.pool).await.unwrap();
    assert_eq!(calls, (0, 2), "each run is one call, which the gate counts");
    assert_eq!(service.get("/v1/jobs").await["data"], json!([]));
    service.stop().await.success();
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_in_one_run_and_no_secret_is() {
    let db = TestDb::new().await;
    let url = db.connect_options().password("canary-database").to_url_lossy();
    let nobody = format!("http://canary:canary@127.0.0.1:{}", free_port());
    let hook = serve(Router::new().fallback(async || StatusCode::BAD_GATEWAY)).await;
    let home = Home::new()
        .set("DATABASE_URL", url)
        .set("AFTERCALL__DATABASE__MIGRATE", "off")
        .set("AFTERCALL__PROVIDER__BASE_URL", &nobody)
        .set("AFTERCALL__PROVIDER__CLIENT_ID", "app")
        .set("AFTERCALL__PROVIDER__CLIENT_SECRET", "canary-secret")
        .set("AFTERCALL__PROVIDER__JWT", "canary-jwt")
        .set("AFTERCALL__OPS__PROMETHEUS_URL", &nobody)
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", hook.replace("http://", "http://canary:canary@"));
    let broken = "delete from aftercall.schema_migrations where version = 1;
        do $$ declare part regclass; begin
            for part in select inhrelid from pg_inherits join pg_class c on c.oid = inhparent
                where c.relkind = 'p' and c.relname = 'deliveries' loop
                execute format('drop table %s', part);
            end loop;
        end $$";
    db.pool.execute(broken).await.unwrap();
    let (code, report) = examined(&home).await;
    assert_eq!((code, &report["verdict"]), (Some(1), &json!("fail")));
    for (name, says) in [
        ("migrations", "not applied"),
        ("partitions", "deliveries"),
        ("provider", "refused"),
        ("webhook", "502"),
        ("prometheus", "not reached"),
    ] {
        let told = check(&report, name);
        assert_eq!(told["verdict"], "fail", "{told}");
        assert!(told["detail"].as_str().unwrap().contains(says), "{told}");
        assert!(told["advice"].is_string(), "{told}");
    }
    let ended = home.run(&["doctor"]).await;
    let said = format!("{report} {} {}", ended.out, ended.err);
    assert!(!said.contains("canary"), "{said}");
}

#[tokio::test]
async fn without_a_database_the_rest_is_still_checked() {
    let home = Home::new()
        .set("DATABASE_URL", format!("postgres://me:canary@127.0.0.1:{}/x", free_port()))
        .set("AFTERCALL__DATABASE__ACQUIRE_TIMEOUT", "1s");
    let (code, report) = examined(&home).await;
    assert_eq!(code, Some(1));
    assert_eq!(check(&report, "database")["verdict"], "fail");
    for name in ["provider", "webhook"] {
        assert_eq!(check(&report, name)["verdict"], "warn", "{report:#}");
    }
    assert_eq!(check(&report, "webhook address")["verdict"], "ok");
    assert!(!report.to_string().contains("canary"), "{report:#}");
}

#[tokio::test]
async fn every_error_in_the_configuration_is_a_line() {
    let home = Home::new().set("AFTERCALL__API__LISTN", "x").set("RC_JWT", "canary");
    let ended = home.run(&["doctor"]).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.out.matches("\nfail  configuration").count() + 1, 2, "{}", ended.out);
    assert!(ended.out.contains("did you mean api.listen?"), "{}", ended.out);
}

#[tokio::test]
async fn a_superuser_in_production_fails_and_other_rights_are_compared() {
    let db = TestDb::new().await;
    let home = Home::new()
        .set("DATABASE_URL", db.connect_options().to_url_lossy())
        .set("AFTERCALL_ENV", "production")
        .set("AFTERCALL__PROVIDER__BASE_URL", "https://127.0.0.1:9")
        .set("AFTERCALL__PROVIDER__CLIENT_ID", "app")
        .set("AFTERCALL__PROVIDER__CLIENT_SECRET", "secret")
        .set("AFTERCALL__PROVIDER__JWT", "jwt")
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "https://127.0.0.1:9");
    let (code, report) = examined(&home).await;
    let told = check(&report, "rights");
    assert_eq!((code, &told["verdict"]), (Some(1), &json!("fail")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("superuser"), "{told}");
    let told = check(&report, "webhook address");
    assert!(told["advice"].as_str().unwrap().contains("public address"), "{told}");

    let role = format!("limited_{}", db.name());
    let limited = format!(
        "create role {role} login; grant usage on schema aftercall to {role};
        grant select on all tables in schema aftercall to {role}"
    );
    db.pool.execute(sqlx::AssertSqlSafe(limited)).await.unwrap();
    let url = db.connect_options().username(&role).to_url_lossy();
    let (_, report) = examined(&home.set("DATABASE_URL", url)).await;
    let told = check(&report, "rights");
    assert_eq!(told["verdict"], "fail", "{told}");
    assert!(told["detail"].as_str().unwrap().contains("may not"), "{told}");
    let gone = format!("drop owned by {role}; drop role {role}");
    db.pool.execute(sqlx::AssertSqlSafe(gone)).await.unwrap();
}

#[tokio::test]
async fn the_certificate_is_checked_as_the_provider_would() {
    let db = TestDb::new().await;
    let home = on_fixed_ports(&db);
    let service = Service::start(&home).await;
    let behind = service.webhook.strip_prefix("http://").unwrap().to_owned();
    let url = tls::proxy(home.path(), behind).await;
    let home = home.set("AFTERCALL__WEBHOOK__PUBLIC_URL", url);
    let (code, report) = examined(&home).await;
    let told = check(&report, "webhook");
    assert_eq!((code, &told["verdict"]), (Some(1), &json!("fail")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("certificate"), "{told}");

    let authority = home.path().join("ca.pem").display().to_string();
    let home = home.set("SSL_CERT_FILE", authority);
    let (code, report) = examined(&home).await;
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(check(&report, "webhook")["verdict"], "ok");
    let told = check(&report, "webhook TLS");
    assert_eq!(told["verdict"], "warn", "{told}");
    assert!(told["detail"].as_str().unwrap().contains("for 9 more days"), "{told}");
    service.stop().await.success();
}

/// Serves `router`; returns its URL.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}
