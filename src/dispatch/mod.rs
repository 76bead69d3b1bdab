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
    config::DispatchSettings,
    jobs::{self, Announcer, Claimed, MediaUrl, WebhookUrl},
    metrics::Task,
    provider::{
        Account, MediaHosts, RateHeaders,
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
    /// The default one is the first.
    pub accounts: Vec<Account>,
    pub settings: DispatchSettings,
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

    /// Gate and claim commit together: a call is granted exactly when there is a job for it. The accounts with the most
    /// calls left come first.
    async fn try_claim(&self, free: usize) -> sqlx::Result<Vec<Claimed>> {
        if !jobs::has_due(&self.db).await? {
            return Ok(Vec::new());
        }
        let mut tx = self.announcer.begin(&self.db).await?;
        let mut claimed = Vec::new();
        for name in gate::with_room(&mut tx, &Account::gates(&self.accounts)).await? {
            let Some(account) = self.account(&name) else { continue };
            let wanted = free - claimed.len();
            let purpose = Purpose::Submission;
            let granted = gate::take(&mut tx, &name, &account.gate, purpose, wanted).await?;
            if granted == 0 {
                continue;
            }
            let (lease, seal) = (self.settings.lease, &self.seal);
            let mut for_account = jobs::claim(&mut tx, seal, &name, granted, lease).await?;
            let found = for_account.len();
            for (doomed, error) in doomed::extract(&mut for_account, &self.media_hosts) {
                tracing::warn!(job_id = %doomed.job_id, "job failed: its recording cannot be fetched");
                jobs::refuse(&mut tx, &doomed, None, &error).await?;
            }
            let unused = granted - for_account.len();
            if unused > 0 {
                gate::give_back(&mut tx, &name, purpose, unused).await?;
            }
            claimed.append(&mut for_account);
            if claimed.len() == free || found < granted {
                break;
            }
        }
        tx.commit().await?;
        Ok(claimed)
    }

    fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
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
        let Some(account) = self.account(&claimed.account) else { return Ok(false) };
        let answer = account.client.submit(&body, &webhook).await;

        let rate = match &answer {
            Ok(accepted) => Some(accepted.rate),
            Err(error) => error.rate(),
        };
        let acceptance = Acceptance::of(&answer);
        let decision = SubmitDecision::of(answer, &claimed, &self.settings, &account.gate);
        decision.tag(&Span::current());
        loop {
            match self.keep(account, &claimed, rate, &acceptance, &decision).await {
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
        account: &Account,
        claimed: &Claimed,
        rate: Option<RateHeaders>,
        acceptance: &Acceptance,
        decision: &SubmitDecision,
    ) -> sqlx::Result<bool> {
        if let Some(rate) = rate {
            gate::learn(&self.db, &account.name, &rate).await?;
        }
        if let SubmitDecision::Release {
            retry_reason: jobs::RetryReason::Throttled, delay, ..
        } = decision
        {
            gate::block(&self.db, &account.name, *delay).await?;
        }
        acceptance.note(&self.db, &account.name, account.gate.probe).await?;
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
                // What this account may not do now, another may.
                let delay = if self.accounts.len() > 1 && retry_reason.is_about_account() {
                    Duration::ZERO
                } else {
                    *delay
                };
                tracing::warn!(
                    ?retry_reason,
                    delay_secs = delay.as_secs(),
                    "attempt failed; job requeued"
                );
                jobs::release(&mut tx, claimed, *retry_reason, delay, error).await?
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
