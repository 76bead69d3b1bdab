//! Traces, as a collector receives them.
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Home, Service, free_port};
use crate::support::{
    db::TestDb,
    eventually,
    otlp::{Behavior, Collector, Span, tree},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const UNSAMPLED: &str = "11111111111111111111111111111111";
const CALLERS_SPAN: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{CALLERS_SPAN}-01")
}

/// Spans are sent only by a graceful shutdown, unless `millis` are short.
fn home(db: &TestDb, collector: &Collector, millis: u64) -> Home {
    Home::on(db)
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)
        .set("OTEL_BSP_SCHEDULE_DELAY", millis.to_string())
}

const NEVER: u64 = 3_600_000;
const AT_ONCE: u64 = 20;

/// Submits a recording as part of the caller's trace.
async fn submit(service: &Service, traceparent: &str, faults: &str) -> String {
    let query = if faults.is_empty() { String::new() } else { format!("?sandbox-faults={faults}") };
    let uri = format!("{}{query}", service.recording);
    let request = service
        .http
        .post(format!("{}/v1/jobs", service.api))
        .bearer_auth(&service.key)
        .header("traceparent", traceparent)
        .header("tracestate", "vendor=canary")
        .json(&json!({ "contentUri": uri, "encoding": "Wav" }));
    let job: Value = request.send().await.unwrap().json().await.unwrap();
    job["id"].as_str().unwrap().to_owned()
}

async fn stored(db: &PgPool, id: &str) -> Option<String> {
    let statement = "select trace_context from aftercall.jobs where id = $1::uuid";
    sqlx::query_scalar(statement).bind(id).fetch_one(db).await.unwrap()
}

/// The spans of the caller's trace.
fn of_trace(collector: &Collector) -> Vec<Span> {
    collector.spans().into_iter().filter(|span| span.trace == TRACE).collect()
}

fn only<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("{} spans {name}:\n{}", found.len(), tree(spans)) };
    span
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the tree is for people, with --nocapture")]
async fn one_trace_leads_from_the_callers_request_to_the_commit() {
    let (db, collector) = (TestDb::new().await, Collector::start().await);
    let home = home(&db, &collector, NEVER).set("OTEL_RESOURCE_ATTRIBUTES", "deployment=test");
    let service = Service::start(&home).await;
    let id = submit(&service, &traceparent(), "").await;
    service.finished(&id).await;
    let unknown = format!("{}/webhooks/{}", service.webhook, "x".repeat(64));
    service.http.post(unknown).body("{}").send().await.unwrap();
    let malformed = submit(&service, &traceparent().to_uppercase(), "").await;
    service.finished(&malformed).await;
    let unsampled = submit(&service, &format!("00-{UNSAMPLED}-{CALLERS_SPAN}-00"), "").await;
    service.finished(&unsampled).await;
    assert!(collector.exports().is_empty());
    let log = service.stop().await;

    let spans = of_trace(&collector);
    println!("{}", tree(&spans));
    let request = only(&spans, "POST /v1/jobs");
    assert_eq!((request.parent.as_str(), request.kind), (CALLERS_SPAN, SpanKind::Server));
    let told = ["http.request.method", "http.route", "http.response.status_code"];
    assert_eq!(told.map(|name| request.get(name)), ["POST", "/v1/jobs", "202"]);
    assert_eq!(request.get("aftercall.job.id"), id);
    assert_eq!(request.resource["service.name"], "aftercall");
    assert_eq!(request.resource["deployment"], "test");
    let kept = stored(&db.pool, &id).await.unwrap();
    assert_eq!(kept, format!("00-{TRACE}-{}-01", request.id));

    let submission = only(&spans, "submit");
    assert_eq!((&submission.parent, submission.kind), (&request.id, SpanKind::Consumer));
    assert_eq!(submission.get("aftercall.outcome"), "accepted");
    for operation in ["token", "submit"] {
        let call = only(&spans, &format!("provider {operation}"));
        assert_eq!((&call.parent, call.kind), (&submission.id, SpanKind::Client));
        assert_eq!(call.get("server.address"), "127.0.0.1");
        assert!(call.get("http.response.status_code").starts_with('2'));
    }
    let delivery = only(&spans, "POST /webhooks/{token}");
    assert_eq!((&delivery.parent, delivery.kind), (&request.id, SpanKind::Server));
    let commit = only(&spans, "commit");
    assert_eq!((&commit.parent, commit.get("aftercall.outcome")), (&delivery.id, "accepted"));
    assert_eq!(spans.len(), 6, "{}", tree(&spans));
    assert!(spans.iter().all(|span| span.events == 0 && !span.has_failed && span.end > 0));

    // The caller decides for its trace, also about what happens to the job later.
    assert!(collector.spans().iter().all(|span| span.trace != UNSAMPLED));
    let kept = stored(&db.pool, &unsampled).await.unwrap();
    assert!(kept.starts_with(&format!("00-{UNSAMPLED}-")) && kept.ends_with("-00"), "{kept}");

    // A malformed header is ignored, and unknown tokens leave no spans.
    let others: Vec<_> = collector.spans().into_iter().filter(|span| span.trace != TRACE).collect();
    let other = others.iter().find(|span| span.get("aftercall.job.id") == malformed).unwrap();
    assert_eq!(other.parent, "");
    let lost = |span: &&Span| span.get("aftercall.outcome") == "unknown_token";
    assert_eq!(others.iter().find(lost).map(|span| &span.name), None);

    // The log names the trace wherever it names the job.
    let log: Vec<Value> = log.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<_> = log.iter().filter(|line| line["job_id"] == json!(id)).collect();
    assert!(lines.iter().filter(|line| line["msg"] != "responded").count() >= 1, "{lines:?}");
    let names = |route| lines.iter().filter(|line| line["route"] == route).count();
    assert_eq!((names("/v1/jobs"), names("/webhooks/{token}")), (1, 1));
    let is_read = |line: &&&Value| line["route"] == "/v1/jobs/{id}";
    let lines = lines.iter().filter(|line| !is_read(line));
    assert_eq!(lines.filter(|line| line["trace_id"] != TRACE).count(), 0);
}

#[tokio::test]
async fn a_poll_by_the_next_process_continues_the_trace() {
    let (db, collector) = (TestDb::new().await, Collector::start().await);
    let home = home(&db, &collector, AT_ONCE)
        .set("AFTERCALL__SANDBOX__LISTEN", format!("127.0.0.1:{}", free_port()))
        .set("AFTERCALL__RECONCILE__INTERVAL", "100ms")
        .set("AFTERCALL__RECONCILE__AFTER", "1h");
    let mut service = Service::start(&home).await;
    let id = submit(&service, &traceparent(), "lost").await;
    collector.span("submit", |span| span.trace == TRACE).await;
    collector.span("POST /v1/jobs", |span| span.trace == TRACE).await;
    let key = service.key.clone();
    service.process.kill_hard();
    service.process.ended().await;
    let overdue = "update aftercall.jobs set due_at = now() where state = 'submitted'";
    sqlx::query(overdue).execute(&db.pool).await.unwrap();

    // The sandbox resumes its work, so the first poll may come too early.
    let home = home.set("AFTERCALL__RECONCILE__AFTER", "200ms");
    let service = Service { key, ..Service::without_key(&home).await };
    let job = service.finished(&id).await;
    assert_eq!(job["completedVia"], "poll");
    service.stop().await;
    let spans = of_trace(&collector);
    let request = only(&spans, "POST /v1/jobs");
    let polls: Vec<_> = spans.iter().filter(|span| span.name == "poll").collect();
    assert!(!polls.is_empty(), "{}", tree(&spans));
    assert!(polls.iter().all(|poll| poll.parent == request.id));
    let commit = only(&spans, "commit");
    assert!(polls.iter().any(|poll| poll.id == commit.parent), "{}", tree(&spans));
    assert_eq!(commit.get("aftercall.outcome"), "accepted");
    let call = |span: &Span| span.name == "provider status" && span.parent == commit.parent;
    assert!(spans.iter().any(call), "{}", tree(&spans));
}

#[tokio::test]
async fn a_batch_is_linked_to_the_trace_of_each_job() {
    let (db, collector) = (TestDb::new().await, Collector::start().await);
    let home = home(&db, &collector, NEVER)
        .set("AFTERCALL__SANDBOX__FAULTS", "lost")
        .set("AFTERCALL__INGEST__WRITERS", "1")
        .set("AFTERCALL__INGEST__BATCH_WAIT", "1m")
        .set("AFTERCALL__INGEST__BATCH_MAX", "3")
        // The log's filter does not concern traces.
        .set("RUST_LOG", "error,aftercall::cli=info");
    let service = Service::start(&home).await;
    let urls = service.webhooks(&home, 3).await;
    let send = |url: String| service.http.post(url).body("{}").send();
    let answers = futures_util::future::join_all(urls.into_iter().map(send)).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().status() == 200));
    service.stop().await;

    let spans = collector.spans();
    let whole = only(&spans, "ingest");
    assert_eq!(whole.get("aftercall.deliveries"), "3");
    let deliveries: Vec<_> =
        spans.iter().filter(|span| span.name == "POST /webhooks/{token}").collect();
    assert_eq!((deliveries.len(), whole.links.len()), (3, 3));
    for delivery in deliveries {
        assert!(whole.links.contains(&(delivery.trace.clone(), delivery.id.clone())));
        let commit = spans.iter().find(|span| span.parent == delivery.id).unwrap();
        assert_eq!((&commit.name, &commit.trace), (&"commit".to_owned(), &delivery.trace));
        assert_eq!(commit.links, [(whole.trace.clone(), whole.id.clone())]);
        let request = spans.iter().find(|span| span.id == delivery.parent).unwrap();
        assert_eq!(request.name, "POST /v1/jobs");
    }
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_exported_but_the_callers_trace_is_kept() {
    let (db, collector) = (TestDb::new().await, Collector::start().await);
    let home = home(&db, &collector, AT_ONCE).set("OTEL_SDK_DISABLED", "true");
    let service = Service::start(&home).await;
    let is_exporting = |threads: Vec<String>| threads.iter().any(|it| it.starts_with("OpenTelem"));
    assert!(!is_exporting(service.process.threads()));
    let id = submit(&service, &traceparent(), "").await;
    service.finished(&id).await;
    assert_eq!(stored(&db.pool, &id).await, Some(traceparent()));
    let plain = service.submit(json!({})).await;
    assert_eq!(stored(&db.pool, &plain).await, None);
    let log = service.process.log();
    let told = |msg: &str| log.iter().any(|line| line["msg"] == msg && line["trace_id"] == TRACE);
    assert!(told("responded") && told("submitted"));
    service.stop().await;
    assert!(collector.exports().is_empty());

    let home = home.unset("OTEL_SDK_DISABLED");
    let service = Service::without_key(&home).await;
    assert!(is_exporting(service.process.threads()), "the check of the threads sees nothing");
    service.stop().await;
}

/// A receiver that does not work costs neither requests nor the shutdown anything, and one line of the log.
async fn is_harmless(db: &TestDb, endpoint: &str, is_told: bool) {
    let home = Home::on(db)
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer canary-header")
        .set("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")
        .set("OTEL_BSP_SCHEDULE_DELAY", "10")
        .set("OTEL_BSP_MAX_QUEUE_SIZE", "20")
        .set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10");
    let service = Service::start(&home).await;
    let id = service.submit(json!({})).await;
    service.finished(&id).await;
    for _ in 0..200 {
        service.get("/v1/jobs").await;
    }
    if is_told {
        eventually("a line about it", async || {
            let told = |line: &Value| line["msg"] == "cannot export spans; they are lost";
            service.process.log().iter().any(told).then_some(())
        })
        .await;
    }
    let asked = Instant::now();
    service.process.signal(Signal::SIGTERM);
    let ended = service.process.ended().await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(20), "{endpoint}: {took:?}");
    let log = ended.success();
    let told = log.lines().filter(|line| line.contains("cannot export spans")).count();
    assert_eq!(told, usize::from(is_told), "{log}");
    assert!(!log.contains("canary-header"));
    assert!(!log.contains(endpoint.trim_start_matches("http://")), "{log}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_harmless() {
    let db = TestDb::new().await;
    is_harmless(&db, &format!("http://127.0.0.1:{}", free_port()), true).await;
}

#[tokio::test]
async fn a_receiver_that_hangs_is_harmless() {
    let (db, collector) = (TestDb::new().await, Collector::that(Behavior::Hangs).await);
    is_harmless(&db, &collector.endpoint, false).await;
    assert_eq!(collector.exports()[0].0["authorization"], "Bearer canary-header");
}

#[tokio::test]
async fn a_receiver_that_refuses_is_harmless() {
    let (db, collector) = (TestDb::new().await, Collector::that(Behavior::Refuses).await);
    is_harmless(&db, &collector.endpoint, true).await;
    assert!(!collector.exports().is_empty());
}

#[tokio::test]
async fn variables_that_cannot_be_used_leave_traces_off() {
    let db = TestDb::new().await;
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "canary-password@nowhere"),
        ("OTEL_TRACES_SAMPLER", "always"),
    ] {
        let home =
            Home::on(&db).set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1").set(name, value);
        let mut service = Service::start(&home).await;
        let line = service.process.logged("traces are not exported").await;
        assert!(line["error"].as_str().unwrap().contains("must be"), "{line}");
        let (status, _) = service.send(Method::GET, "/v1/jobs", None).await;
        assert_eq!(status, 200);
        let log = service.stop().await.success();
        assert!(!log.contains("canary-password"), "{log}");
    }
}
