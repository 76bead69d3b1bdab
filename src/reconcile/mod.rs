//! Stage 4: handles what the webhook does not deliver. It polls the provider for overdue jobs,
//! takes up abandoned and unconfirmed attempts, and ends the rest at their deadline.
use bytes::Bytes;
use serde_json::Map;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    config::{DispatchSettings, ReconcileSettings},
    db,
    deliveries::{Delivery, Outcome, Quota},
    drift::{DriftCounter, Finding},
    jobs::{self, Announcer, Channel, PollTarget},
    metrics::Task,
    outcome::{self, Arrival, Interpretation},
    provider::{
        Account, AnalysisStatus, StatusAnswer, StatusError,
        gate::{self, Purpose},
    },
    seal::Seal,
    supervise, telemetry,
};

/// Maximum number of status polls per round and account; the gate usually allows fewer.
const POLLS_A_ROUND: usize = 20;

#[derive(Debug, Clone)]
pub struct Reconciler {
    pub db: PgPool,
    /// The default one is the first.
    pub accounts: Vec<Account>,
    pub settings: ReconcileSettings,
    pub dispatch: DispatchSettings,
    pub drift: DriftCounter,
    pub announcer: Announcer,
    pub seal: Seal,
}

impl Reconciler {
    /// Runs rounds until `stop` is canceled.
    pub async fn run(self, stop: CancellationToken) -> supervise::TaskResult {
        self.announcer.metrics().starts(Task::Reconcile);
        while !stop.is_cancelled() {
            match self.round().await {
                Ok(()) => self.announcer.metrics().succeeded(Task::Reconcile),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot finish the reconciliation round"
                ),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(self.settings.interval) => {}
            }
        }
        Ok(())
    }

    /// Checks once for everything that may be overdue.
    pub async fn round(&self) -> sqlx::Result<()> {
        let Self { db, announcer, dispatch, .. } = self;
        let abandoned = jobs::abandon_leases(db, announcer, dispatch.unconfirmed_wait).await?;
        let requeued = jobs::requeue_unconfirmed(db, announcer, dispatch.max_attempts).await?;
        if jobs::has_polls(&self.db).await? {
            for account in &self.accounts {
                self.poll_all(account).await?;
            }
            self.pass_over().await?;
        }
        let expired = jobs::expire(db, announcer).await?;
        if abandoned + requeued + expired > 0 {
            tracing::info!(abandoned, requeued, expired, "overdue jobs handled");
        }
        Ok(())
    }

    async fn poll_all(&self, account: &Account) -> sqlx::Result<()> {
        for _ in 0..POLLS_A_ROUND {
            let Some(target) = self.claim_poll(account).await? else { break };
            if !self.poll(account, &target).await? {
                break;
            }
        }
        Ok(())
    }

    /// Only the account that a job was submitted with can ask for it.
    async fn pass_over(&self) -> sqlx::Result<()> {
        let configured = gate::configured(&self.db).await?;
        for (job_id, account) in jobs::pass_over(&self.db, &configured, self.settings.after).await?
        {
            tracing::warn!(
                %job_id,
                account,
                "cannot ask for the job's result: the account that submitted it is no longer in \
                 provider.accounts; only its webhook can deliver it"
            );
        }
        Ok(())
    }

    /// Claims one poll, within the polls' part of the budget while submissions wait. One at a time:
    /// a granted call that waits for others would be made in a window that did not count it.
    async fn claim_poll(&self, account: &Account) -> sqlx::Result<Option<PollTarget>> {
        if !jobs::has_polls(&self.db).await? {
            return Ok(None);
        }
        let share = if jobs::has_due(&self.db).await? { account.gate.poll_share } else { 1.0 };
        let purpose = Purpose::Poll { share };
        let mut tx = db::begin(&self.db).await?;
        if gate::take(&mut tx, &account.name, &account.gate, purpose, 1).await? == 0 {
            return Ok(None);
        }
        let target = jobs::claim_poll(&mut tx, &account.name, self.settings.after).await?;
        if target.is_none() {
            gate::give_back(&mut tx, &account.name, purpose, 1).await?;
        }
        tx.commit().await?;
        Ok(target)
    }

    /// Polls one result. `false`: the provider wants no more calls now.
    async fn poll(&self, account: &Account, target: &PollTarget) -> sqlx::Result<bool> {
        let span = tracing::info_span!("poll", trace_id = Empty, job_id = %target.job_id);
        telemetry::continue_stored(&span, target.trace_context.as_deref());
        self.try_poll(account, target).instrument(span).await
    }

    async fn try_poll(&self, account: &Account, target: &PollTarget) -> sqlx::Result<bool> {
        let answer = account.client.status(&target.provider_job_id).await;
        self.announcer.metrics().polled(result_of(&answer));
        let rate = match &answer {
            Ok(answer) => Some(answer.rate),
            Err(error) => error.rate(),
        };
        if let Some(rate) = rate {
            gate::learn(&self.db, &account.name, &rate).await?;
        }
        match answer {
            Ok(mut answer) => {
                let drift = std::mem::take(&mut answer.message.drift);
                if let Some(reading) = Interpretation::of(Ok(answer.message)) {
                    self.apply(target, answer.body, reading, drift).await?;
                }
            }
            Err(StatusError::Unreadable { why, body, .. }) => {
                let reading = Interpretation::Unreadable(why.to_string());
                self.apply(target, body.0, reading, why.drift()).await?;
            }
            // Only a 404 means that the provider has no such job (OpenAPI document).
            Err(StatusError::UnknownJob { status, .. }) if status.as_u16() == 404 => {
                tracing::warn!("the provider no longer knows the job");
                let most = self.dispatch.max_attempts;
                jobs::lose_attempt(&self.db, &self.announcer, target, most).await?;
            }
            Err(error @ StatusError::TooLarge { .. }) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "unusable status response"
                );
                let mut tx = db::begin(&self.db).await?;
                jobs::poll_later(&mut tx, target, self.settings.after).await?;
                tx.commit().await?;
            }
            Err(StatusError::Throttled { retry_after, .. }) => {
                gate::block(&self.db, &account.name, retry_after.unwrap_or(account.gate.penalty))
                    .await?;
                return Ok(false);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot get the job's status"
                );
                // Any other poll would fail too.
                let is_general =
                    matches!(error, StatusError::Refused { .. } | StatusError::Unauthorized { .. });
                return Ok(!is_general);
            }
        }
        Ok(true)
    }

    async fn apply(
        &self,
        target: &PollTarget,
        body: Bytes,
        reading: Interpretation,
        drift: Vec<Finding>,
    ) -> sqlx::Result<()> {
        let delivery = Delivery {
            job_id: target.job_id,
            attempt: target.attempt,
            via: Channel::Poll,
            headers: Map::new(),
            body_sha: Sha256::digest(&body).into(),
            body,
            arrived: Instant::now(),
            replay_of: None,
        };
        let expected = Some(target.provider_job_id.clone());
        let mut arrival = Arrival { delivery, expected, reading };
        let commit = telemetry::Batch::begin();
        let outcome = match self.store(target, &arrival).await {
            // Stored as unreadable instead: one job must not block the round for all others.
            Err(error) if db::is_about_data(&error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot store the result"
                );
                arrival.reading =
                    Interpretation::Unreadable("Postgres rejected its rows".to_owned());
                self.store(target, &arrival).await?
            }
            stored => stored?,
        };
        if outcome.is_some_and(|outcome| outcome != Outcome::Duplicate) {
            self.drift.note(target.job_id, drift);
        }
        let name = outcome.map(Outcome::name);
        tracing::info!(outcome = name, "result fetched");
        let span = Span::current();
        if let Some((commit, name)) = commit.zip(name) {
            telemetry::tag(&span, telemetry::OUTCOME, name);
            commit.end([(&span, name)].into_iter());
        }
        Ok(())
    }

    async fn store(&self, target: &PollTarget, arrival: &Arrival) -> sqlx::Result<Option<Outcome>> {
        let mut tx = self.announcer.begin(&self.db).await?;
        let arrivals = std::slice::from_ref(arrival);
        let outcomes = outcome::apply(&mut tx, &self.seal, arrivals, Quota::UNLIMITED).await?;
        let is_useless = |outcome| {
            matches!(outcome, Outcome::Malformed | Outcome::Mismatch | Outcome::Duplicate)
        };
        if outcomes[0].is_some_and(is_useless) {
            jobs::poll_later(&mut tx, target, self.settings.after).await?;
        }
        tx.commit().await?;
        Ok(outcomes[0])
    }
}

/// The response to a poll, for the metrics.
fn result_of(answer: &Result<StatusAnswer, StatusError>) -> &'static str {
    match answer {
        Ok(answer) => match answer.message.analysis_status {
            AnalysisStatus::InProgress => "in_progress",
            AnalysisStatus::Success(_) | AnalysisStatus::Fail(_) => "finished",
        },
        Err(StatusError::Unreadable { .. }) => "unreadable",
        Err(StatusError::TooLarge { .. }) => "too_large",
        Err(StatusError::UnknownJob { .. }) => "unknown_job",
        Err(StatusError::Throttled { .. }) => "throttled",
        Err(StatusError::Refused { .. } | StatusError::Unauthorized { .. }) => "rejected",
        Err(
            StatusError::Broken { .. }
            | StatusError::Unreachable(_)
            | StatusError::TokenUnavailable(_),
        ) => "unreachable",
    }
}
