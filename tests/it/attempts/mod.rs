//! Results are assigned to the right attempt, tested from outside: the real process over HTTP, and a 2022 provider,
//! which reports all attempts of a job with the same bytes.
mod relay;
mod surplus;

use aftercall::config::Envelope;
use reqwest::Method;
use serde_json::{Value, json};

use self::relay::Relay;
use crate::{
    process::{Home, Service},
    sandbox::support::{Running, settings},
    support::{db::TestDb, eventually},
};

struct Scene {
    db: TestDb,
    service: Service,
    relay: Relay,
    job: String,
    _sandbox: Running,
}

impl Scene {
    /// A job whose submissions meet these faults in turn.
    async fn new(faults: &str) -> Self {
        Self::with(faults, Envelope::Bare, &[]).await
    }

    async fn with(faults: &str, envelope: Envelope, variables: &[(&str, &str)]) -> Self {
        let mut settings = settings();
        settings.envelope = envelope;
        let sandbox = Running::start(settings).await;
        let relay = Relay::start().await;
        let db = TestDb::new().await;
        let home = Home::on(&db)
            .set("AFTERCALL__SANDBOX__URL", sandbox.url(""))
            .set("AFTERCALL__SANDBOX__WEBHOOK_URL", &relay.url)
            .set("AFTERCALL__RECONCILE__INTERVAL", "20ms")
            .set("AFTERCALL__DISPATCH__POLL_INTERVAL", "20ms");
        let home = variables.iter().fold(home, |home, (name, value)| home.set(name, *value));
        let service = Service::start(&home).await;
        let uri = sandbox.url(&format!("/media/support-call.wav?sandbox-faults={faults}"));
        let job = service.submit(json!({ "contentUri": uri })).await;
        Self { db, service, relay, job, _sandbox: sandbox }
    }

    /// Lets the next delivery reach the service.
    async fn delivered(&mut self) {
        let held = self.relay.next().await;
        self.let_through(held).await;
    }

    async fn let_through(&self, held: relay::Held) {
        held.let_through(&self.service.http, &self.service.webhook).await;
    }

    async fn state(&self) -> Value {
        self.service.get(&format!("/v1/jobs/{}", self.job)).await["state"].clone()
    }

    async fn in_state(&self, state: &str) -> Value {
        self.service.job_when(&self.job, |job| job["state"] == state).await
    }

    /// Waits until the job's last event is of this kind; returns its detail.
    async fn told(&self, kind: &str) -> Value {
        let path = format!("/v1/jobs/{}/timeline?limit=200", self.job);
        eventually(kind, async || {
            let events = self.service.get(&path).await;
            let last = events["data"].as_array().unwrap().last().unwrap().clone();
            (last["kind"] == kind).then_some(last["detail"].clone())
        })
        .await
    }

    async fn retry(&self) {
        let path = format!("/v1/jobs/{}/retry", self.job);
        let (status, body) = self.service.send(Method::POST, &path, None).await;
        assert_eq!(status, 202, "{body}");
    }

    /// Makes the job's next step due.
    async fn make_due(&self) {
        let statement = "update aftercall.jobs set due_at = now() - interval '1 second'";
        sqlx::query(statement).execute(&self.db.pool).await.unwrap();
    }

    async fn outcomes(&self) -> Vec<String> {
        let query = "select outcome from aftercall.deliveries order by id";
        sqlx::query_scalar(query).fetch_all(&self.db.pool).await.unwrap()
    }
}

#[tokio::test]
async fn the_same_failure_after_a_retry_fails_the_job_again() {
    // With the 202 of 2023 and of 2022; without a job id only the webhook can report the end.
    for (envelope, has_id) in [(Envelope::WithJob, true), (Envelope::Bare, false)] {
        let mut scene = Scene::with("fail,same-body;fail,same-body", envelope, &[]).await;
        let first = scene.relay.next().await;
        let bytes = first.body.clone();
        scene.let_through(first).await;
        scene.in_state("failed").await;
        scene.retry().await;
        let second = scene.relay.next().await;
        assert_eq!(second.body, bytes);
        assert_eq!(scene.told("submitted").await["providerJobId"].is_string(), has_id);
        scene.let_through(second).await;
        assert_eq!(scene.state().await, "failed");
        assert_eq!(scene.told("failed").await["attempt"], 2);
        assert_eq!(scene.outcomes().await, ["accepted", "accepted"]);
    }
}

#[tokio::test]
async fn a_success_in_the_bytes_of_an_earlier_attempt_completes_the_job() {
    let mut scene = Scene::new("reset;fail;;").await;
    let hung = scene.relay.next().await;
    scene.told("unconfirmed").await;
    scene.make_due().await;
    scene.delivered().await;
    scene.in_state("failed").await;
    let bytes = hung.body.clone();
    scene.let_through(hung).await;
    assert_eq!(scene.told("delivery").await["outcome"], "late");

    scene.retry().await;
    let success = scene.relay.next().await;
    assert_eq!(success.body, bytes);
    scene.told("submitted").await;
    scene.let_through(success).await;
    assert_eq!(scene.state().await, "completed");
    assert_eq!(scene.outcomes().await, ["accepted", "late", "accepted"]);
    scene.service.get(&format!("/v1/jobs/{}/result", scene.job)).await;
}

/// Even with the bytes of an earlier delivery of the same attempt, if the caller has retried the job since.
#[tokio::test]
async fn a_success_that_was_late_counts_when_it_is_sent_again_after_a_retry() {
    let mut scene = Scene::new("reset,duplicate;fail;").await;
    let hung = scene.relay.next().await;
    scene.told("unconfirmed").await;
    scene.make_due().await;
    scene.delivered().await;
    scene.in_state("failed").await;
    scene.let_through(hung).await;
    let again = scene.relay.next().await;
    scene.retry().await;
    let third = scene.relay.next().await;
    scene.told("submitted").await;
    scene.let_through(again).await;
    assert_eq!(scene.state().await, "completed");
    scene.let_through(third).await;
    assert_eq!(scene.outcomes().await, ["accepted", "late", "accepted", "superseded"]);
}

#[tokio::test]
async fn of_two_hung_attempts_the_failure_of_the_second_is_no_duplicate_of_the_firsts() {
    let mut scene = Scene::new("reset,fail;reset,fail;").await;
    let first = scene.relay.next().await;
    scene.told("unconfirmed").await;
    scene.make_due().await;
    let second = scene.relay.next().await;
    assert_eq!(second.body, first.body);
    scene.told("unconfirmed").await;
    scene.let_through(first).await;
    assert_eq!(scene.told("delivery").await["outcome"], "late");
    scene.let_through(second).await;
    let job = scene.in_state("failed").await;
    assert_eq!((&job["attempts"], &job["error"]["class"]), (&json!(2), &json!("analysis")));
    assert_eq!(scene.outcomes().await, ["late", "accepted"]);
}

/// The failure was only presumed by us, and the late success has been paid for.
#[tokio::test]
async fn a_late_success_completes_a_job_that_we_presumed_to_have_failed() {
    let once = &[("AFTERCALL__DISPATCH__MAX_ATTEMPTS", "1")];
    let mut scene = Scene::with("reset", Envelope::WithJob, once).await;
    let hung = scene.relay.next().await;
    scene.told("unconfirmed").await;
    scene.make_due().await;
    let job = scene.in_state("failed").await;
    assert_eq!((&job["attempts"], &job["error"]["class"]), (&json!(1), &json!("upstream")));
    scene.let_through(hung).await;
    let job = scene.in_state("completed").await;
    assert_eq!((&job["error"], &job["completedVia"]), (&Value::Null, &json!("webhook")));
    assert_eq!(scene.told("completed").await["late"], true);
}
