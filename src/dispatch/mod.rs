//! Stage 2: submits queued jobs to the provider. Due jobs pass through the provider gate; each ends
//! up submitted, requeued, unconfirmed or failed.
mod acceptance;
mod decision;
mod doomed;

use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field::Empty};
use url::Url;

use self::{acceptance::Acceptance, decision::SubmitDecision};
use crate::{
    config::{DispatchSettings, GateSettings},
    jobs::{self, Announcer, Claimed, MediaUrl, WebhookUrl},
    metrics::Task,
    provider::{
        self, MediaHosts, RateHeaders,
        gate::{self, Purpose},
    },
    seal::Seal,
    supervise::TaskResult,
    telemetry,
};

/// The dispatcher's dependencies; cheap to clone into each submission.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    pub db: PgPool,
    pub provider: provider::Client,
    pub settings: DispatchSettings,
    pub gate: GateSettings,
    /// Public URL of the webhook listener.
    pub webhook_base: Url,
    /// How long to wait for the webhook before polling for the result.
    pub poll_after: Duration,
    pub announcer: Announcer,
    pub seal: Seal,
    /// Their recordings get an access token, so that their URLs do not expire.
    pub media_hosts: MediaHosts,
}

impl Dispatcher {
    /// Claims and submits jobs until `stop` is canceled, then finishes submissions in progress.
    pub async fn run(self, stop: CancellationToken) -> TaskResult {
        self.announcer.metrics().starts(Task::Dispatch);
        let mut in_flight = JoinSet::new();
        while !stop.is_cancelled() {
            let free = self.settings.concurrency.saturating_sub(in_flight.len());
            for claimed in self.claim(free).await {
                let this = self.clone();
                in_flight.spawn(async move { this.submit(claimed).await });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(joined) = in_flight.join_next() => log_panic(joined),
                () = self.announcer.queued() => {}
                () = sleep(jittered(self.settings.poll_interval)) => {}
            }
        }
        while let Some(joined) = in_flight.join_next().await {
            log_panic(joined);
        }
        Ok(())
    }

    /// Submits everything that is due and that the gate lets through; returns the number of jobs.
    /// For tests.
    pub async fn drain(&self) -> usize {
        let mut done = 0;
        loop {
            let batch = self.claim(self.settings.concurrency).await;
            if batch.is_empty() {
                return done;
            }
            done += batch.len();
            for claimed in batch {
                self.submit(claimed).await;
            }
        }
    }

    async fn claim(&self, free: usize) -> Vec<Claimed> {
        if free == 0 {
            return Vec::new();
        }
        match self.try_claim(free).await {
            Ok(claimed) => {
                self.announcer.metrics().succeeded(Task::Dispatch);
                claimed
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot claim jobs");
                Vec::new()
            }
        }
    }

    /// Gate and claim commit together: a call is granted exactly when there is a job for it.
    async fn try_claim(&self, free: usize) -> sqlx::Result<Vec<Claimed>> {
        if !jobs::has_due(&self.db).await? {
            return Ok(Vec::new());
        }
        let mut tx = self.announcer.begin(&self.db).await?;
        let granted = gate::take(&mut tx, &self.gate, Purpose::Submission, free).await?;
        let mut claimed = if granted == 0 {
            Vec::new()
        } else {
            jobs::claim(&mut tx, &self.seal, granted, self.settings.lease).await?
        };
        for (doomed, error) in doomed::extract(&mut claimed, &self.media_hosts) {
            tracing::warn!(job_id = %doomed.job_id, "job failed: its recording cannot be fetched");
            jobs::refuse(&mut tx, &doomed, None, &error).await?;
        }
        if claimed.len() < granted {
            gate::give_back(&mut tx, Purpose::Submission, granted - claimed.len()).await?;
        }
        tx.commit().await?;
        Ok(claimed)
    }

    async fn submit(&self, claimed: Claimed) {
        let span = tracing::info_span!(
            "submit", trace_id = Empty, job_id = %claimed.job_id, attempt = claimed.attempt
        );
        telemetry::continue_stored(&span, claimed.trace_context.as_deref());
        async {
            match self.try_submit(claimed).await {
                Ok(true) => {}
                Ok(false) => tracing::info!("the job changed in the meantime; outcome ignored"),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot record the outcome; it counts as unknown once the lease expires"
                ),
            }
        }
        .instrument(span)
        .await;
    }

    async fn try_submit(&self, mut claimed: Claimed) -> sqlx::Result<bool> {
        let lease_ends = Instant::now() + self.settings.lease;
        let mut body = claimed.request.clone();
        if let Some(content) = claimed.content.take() {
            body.insert("content".to_owned(), Value::String(content));
        }
        if let Some(token) = &claimed.media {
            let url = MediaUrl::new(&self.webhook_base, token);
            body.insert("contentUri".to_owned(), url.reveal().into());
        }
        let webhook = WebhookUrl::new(&self.webhook_base, &claimed.token);
        let answer = self.provider.submit(&body, &webhook).await;

        let rate = match &answer {
            Ok(accepted) => Some(accepted.rate),
            Err(error) => error.rate(),
        };
        let acceptance = Acceptance::of(&answer);
        let decision = SubmitDecision::of(answer, &claimed, &self.settings, &self.gate);
        decision.tag(&Span::current());
        loop {
            match self.keep(&claimed, rate, &acceptance, &decision).await {
                // If the outcome is lost, the job may be paid for twice, so it is worth waiting for
                // the database.
                Err(error) if Instant::now() < lease_ends => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot record the outcome; retrying"
                    );
                    sleep(jittered(self.settings.poll_interval)).await;
                }
                kept => return kept,
            }
        }
    }

    /// Idempotent, so it can be repeated after an error: the lease and the state guard it.
    async fn keep(
        &self,
        claimed: &Claimed,
        rate: Option<RateHeaders>,
        acceptance: &Acceptance,
        decision: &SubmitDecision,
    ) -> sqlx::Result<bool> {
        if let Some(rate) = rate {
            gate::learn(&self.db, &rate).await?;
        }
        if let SubmitDecision::Release {
            retry_reason: jobs::RetryReason::Throttled, delay, ..
        } = decision
        {
            gate::block(&self.db, *delay).await?;
        }
        acceptance.note(&self.db, self.gate.probe).await?;
        self.record(claimed, decision).await
    }

    async fn record(&self, claimed: &Claimed, decision: &SubmitDecision) -> sqlx::Result<bool> {
        let mut tx = self.announcer.begin(&self.db).await?;
        let applied = match decision {
            SubmitDecision::Accepted { provider_job_id } => {
                tracing::info!(provider_job_id, "submitted");
                let id = provider_job_id.as_deref();
                jobs::mark_submitted(&mut tx, claimed, id, self.poll_after).await?
            }
            SubmitDecision::Refuse { retry_reason, error } => {
                tracing::warn!(code = error.code, retry_reason = ?retry_reason, "job failed");
                jobs::refuse(&mut tx, claimed, *retry_reason, error).await?
            }
            SubmitDecision::Release { retry_reason, delay, error } => {
                tracing::warn!(
                    ?retry_reason,
                    delay_secs = delay.as_secs(),
                    "attempt failed; job requeued"
                );
                jobs::release(&mut tx, claimed, *retry_reason, *delay, error).await?
            }
            SubmitDecision::Unknown { wait, error } => {
                tracing::warn!(
                    wait_secs = wait.as_secs(),
                    "unknown whether the provider accepted the job; waiting for its webhook"
                );
                jobs::mark_unknown(&mut tx, claimed, *wait, error).await?
            }
        };
        tx.commit().await?;
        Ok(applied)
    }
}

/// `base` ± 10 %, so that processes do not poll in step.
fn jittered(base: Duration) -> Duration {
    base.mul_f64(rand::random_range(0.9..1.1))
}

fn log_panic(joined: Result<(), tokio::task::JoinError>) {
    if let Err(error) = joined {
        tracing::error!(%error, "a submission panicked; its lease will expire");
    }
}
