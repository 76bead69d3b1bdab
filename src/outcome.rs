//! Applies what the provider found to its jobs, in one function for every source and batch size.
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::json;

use crate::{
    config::TextLimits,
    deliveries::{self, Classified, Delivery, Outcome, Quota, Undecodable},
    drift::Finding,
    insights::{self, Prepared},
    jobs::{
        self, Change, Channel, Completion, ErrorClass, EventKind, Failure, JobError, JobId,
        JobStanding, Note, RecordingUrl, State, Surplus, UpstreamError,
    },
    json,
    provider::{self, AnalysisStatus, Message, PARSER_VERSION, ProviderError, Secrets, Unreadable},
    seal::Seal,
};

/// What a delivery means for its job.
#[derive(Debug)]
pub enum Interpretation {
    Success {
        provider_job_id: Option<String>,
        parser_version: i32,
        /// The result, ready to be stored.
        prepared: Box<Prepared>,
    },
    Failure {
        provider_job_id: Option<String>,
        errors: Vec<ProviderError>,
    },
    /// Why it could not be parsed, without quoting it.
    Unreadable(String),
}

/// What a body says, and how it departs from the contract.
#[derive(Debug)]
pub struct ParsedDelivery {
    pub reading: Interpretation,
    pub drift: Vec<Finding>,
    /// How long parsing took; zero if it was not parsed.
    pub took: Duration,
}

/// Never fails: an unparsable body is an interpretation too.
impl ParsedDelivery {
    /// `encoding`: the body's `Content-Encoding`.
    pub fn of_body(body: &Bytes, encoding: Option<&str>, limits: TextLimits) -> Self {
        match deliveries::decoded(body, encoding, limits.inflated, |_| true) {
            Ok(text) if json::values_at_most(&text) > limits.values => {
                Self::too_many(limits.values)
            }
            Ok(text) => Self::of_text(&text),
            Err(Undecodable::Damaged(why)) => Self::unreadable(why),
            Err(Undecodable::OverBudget) => Self::unreadable("it is too large".to_owned()),
        }
    }

    pub fn of_text(text: &[u8]) -> Self {
        let began = Instant::now();
        let mut parsed = provider::parse(text);
        let drift = match &mut parsed {
            Ok(message) => std::mem::take(&mut message.drift),
            Err(why) => why.drift(),
        };
        let in_progress =
            || Interpretation::Unreadable("the job is reported as in progress".to_owned());
        let reading = Interpretation::of(parsed).unwrap_or_else(in_progress);
        Self { reading, drift, took: began.elapsed() }
    }

    /// Parsing it would take too much memory.
    pub fn too_many(values: usize) -> Self {
        Self::unreadable(format!("it holds more than {values} values"))
    }

    pub fn unreadable(why: String) -> Self {
        let reading = Interpretation::Unreadable(why);
        Self { reading, drift: Vec::new(), took: Duration::ZERO }
    }
}

impl Interpretation {
    /// What a parsed body means for the job; `None` while the analysis is in progress.
    pub fn of(parsed: Result<Message, Unreadable>) -> Option<Self> {
        let message = match parsed {
            Ok(message) => message,
            Err(why) => return Some(Self::Unreadable(why.to_string())),
        };
        let provider_job_id = message.provider_job_id;
        match message.analysis_status {
            AnalysisStatus::Success(analysis) => {
                let prepared = Box::new(Prepared::from(*analysis));
                Some(Self::Success { provider_job_id, parser_version: PARSER_VERSION, prepared })
            }
            AnalysisStatus::Fail(errors) => Some(Self::Failure { provider_job_id, errors }),
            AnalysisStatus::InProgress => None,
        }
    }
}

impl From<ProviderError> for UpstreamError {
    fn from(error: ProviderError) -> Self {
        Self { code: error.code, message: error.message, parameter: error.parameter }
    }
}

/// A delivery and its interpretation.
#[derive(Debug)]
pub struct Arrival {
    pub delivery: Delivery,
    /// The provider's job id, if the attempt knows it.
    pub expected: Option<String>,
    pub reading: Interpretation,
}

impl Arrival {
    /// Job and attempt, if the delivery reports that the attempt failed.
    fn failed_attempt(&self) -> Option<(JobId, i32)> {
        let is_failure = matches!(self.reading, Interpretation::Failure { .. });
        is_failure.then_some((self.delivery.job_id, self.delivery.attempt))
    }
}

/// Stores the deliveries and ends each job for which one of them is decisive: documents, rows, states, timelines and
/// deliveries commit together or not at all. Deliveries that end no job are stored within the quota of their attempt,
/// and only counted beyond it.
///
/// Outcomes are in the order of the arrivals; `None` where the job no longer exists.
pub async fn apply(
    tx: &mut Change<'_>,
    seal: &Seal,
    arrivals: &[Arrival],
    quota: Quota,
) -> sqlx::Result<Vec<Option<Outcome>>> {
    let ids: Vec<JobId> = arrivals.iter().map(|arrival| arrival.delivery.job_id).collect();
    let mut standings = jobs::lock(tx, &ids).await?;
    let failed: Vec<_> = arrivals.iter().filter_map(Arrival::failed_attempt).collect();
    let given_up = jobs::given_up(tx, &failed).await?;
    let failed: Vec<JobId> = failed.into_iter().map(|(job_id, _)| job_id).collect();
    let recordings = jobs::recording_urls(tx, seal, &failed).await?;

    let mut effects = Effects { recordings, ..Effects::default() };
    let mut judged = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        let Delivery { job_id, attempt, .. } = arrival.delivery;
        let judgement = standings.get_mut(&job_id).map(|standing| {
            let judgement = judge(*standing, arrival, given_up.contains(&(job_id, attempt)));
            if judgement.0 == Outcome::Accepted {
                *standing = effects.accept(arrival, *standing);
            }
            judgement
        });
        judged.push(judgement);
    }
    let (outcomes, classified) = without_repetitions(tx, arrivals, judged).await?;
    (effects.classified, effects.surplus) = deliveries::within(tx, classified, quota).await?;
    effects.set_aside();
    effects.write(tx, seal).await?;
    Ok(outcomes)
}

/// The outcomes, with duplicates marked, and the deliveries to keep.
async fn without_repetitions<'a>(
    tx: &mut Change<'_>,
    arrivals: &'a [Arrival],
    judged: Vec<Option<Judgement<'a>>>,
) -> sqlx::Result<(Vec<Option<Outcome>>, Vec<Classified<'a>>)> {
    let all = arrivals.iter().zip(&judged);
    let questionable: Vec<&Delivery> = all
        .filter(|(_, judged)| judged.is_some_and(|(outcome, _)| outcome != Outcome::Accepted))
        .map(|(arrival, _)| &arrival.delivery)
        .collect();
    let mut known = deliveries::known(tx, &questionable).await?;
    let mut outcomes = Vec::with_capacity(arrivals.len());
    let mut classified = Vec::with_capacity(arrivals.len());
    for (arrival, judged) in arrivals.iter().zip(judged) {
        let delivery = &arrival.delivery;
        let Some((mut outcome, mut reason)) = judged else {
            outcomes.push(None);
            continue;
        };
        let is_new = known.insert((delivery.job_id, delivery.attempt, delivery.body_sha.to_vec()))
            || delivery.replay_of.is_some();
        // What is accepted is no duplicate even if the same bytes came before: what was late then may be what a job
        // retried since is waiting for.
        if outcome != Outcome::Accepted && !is_new {
            (outcome, reason) = (Outcome::Duplicate, None);
            // A poll that repeats a known response brings nothing to look at.
            if delivery.via == Channel::Poll {
                outcomes.push(Some(outcome));
                continue;
            }
        }
        let is_result = matches!(arrival.reading, Interpretation::Success { .. });
        classified.push(Classified { delivery, outcome, reason, is_result });
        outcomes.push(Some(outcome));
    }
    Ok((outcomes, classified))
}

/// With the reason why it was not accepted.
type Judgement<'a> = (Outcome, Option<&'a str>);

/// A success ends the job whichever attempt it is about, a failure only if the job is waiting for that attempt.
fn judge(standing: JobStanding, arrival: &Arrival, is_given_up: bool) -> Judgement<'_> {
    let state = standing.state;
    let (provider_job_id, still_wanted) = match &arrival.reading {
        Interpretation::Unreadable(why) => return (Outcome::Malformed, Some(why)),
        Interpretation::Success { provider_job_id, .. } => {
            (provider_job_id, standing.awaits_result)
        }
        Interpretation::Failure { provider_job_id, .. } => {
            (provider_job_id, state.awaits_failure() && !is_given_up)
        }
    };
    match (&arrival.expected, provider_job_id) {
        (Some(expected), Some(reported)) if expected != reported => {
            (Outcome::Mismatch, Some("jobId is not the provider's job id of this attempt"))
        }
        _ if still_wanted => (Outcome::Accepted, None),
        _ if state == State::Completed => (Outcome::Superseded, None),
        _ => (Outcome::Late, None),
    }
}

/// The changes of a batch, table by table.
#[derive(Default)]
struct Effects<'a> {
    /// The recordings of the jobs that failed.
    recordings: HashMap<JobId, RecordingUrl>,
    classified: Vec<Classified<'a>>,
    surplus: Vec<Surplus>,
    results: Results<'a>,
    failures: Vec<Failure>,
    notes: Vec<Note>,
    useless: Vec<JobId>,
}

impl<'a> Effects<'a> {
    /// Records the effects of an accepted arrival; returns the job's new standing.
    fn accept(&mut self, arrival: &'a Arrival, standing: JobStanding) -> JobStanding {
        let Delivery { job_id, attempt, via, .. } = arrival.delivery;
        match &arrival.reading {
            Interpretation::Success { provider_job_id, parser_version, prepared } => {
                // The 2022 envelope names no job; the response to the submission may have.
                let provider_job_id = provider_job_id.as_deref().or(arrival.expected.as_deref());
                let parser_version = *parser_version;
                let origin = insights::DocumentOrigin { job_id, provider_job_id, parser_version };
                self.results.found.push((origin, prepared));
                let completion = Completion { job_id, attempt, via, received_at: None };
                self.results.completions.push(completion);
                JobStanding::ended(State::Completed)
            }
            Interpretation::Failure { errors, .. } => {
                let secrets = Secrets::of_job(job_id, self.recordings.get(&job_id));
                let errors = errors.iter().map(|error| error.clone().without(&secrets).into());
                let otherwise = "the provider reported a failure without a reason";
                let error = JobError::upstream(ErrorClass::Analysis, errors.collect(), otherwise);
                self.failures.push(Failure { job_id, attempt, via, error, received_at: None });
                JobStanding::ended(State::Failed)
            }
            Interpretation::Unreadable(_) => standing,
        }
    }

    /// Records events for deliveries that ended no job, and polls soon where they were useless.
    fn set_aside(&mut self) {
        for Classified { delivery, outcome, reason, .. } in &self.classified {
            let Delivery { job_id, attempt, via, .. } = **delivery;
            if *outcome != Outcome::Accepted && via != Channel::Replay {
                let outcome = outcome.name();
                let detail =
                    json!({ "attempt": attempt, "via": via, "outcome": outcome, "reason": reason });
                self.notes.push(Note { job_id, kind: EventKind::Delivery, detail });
            }
            let is_useless = matches!(outcome, Outcome::Malformed | Outcome::Mismatch);
            if is_useless && via == Channel::Webhook {
                self.useless.push(job_id);
            }
        }
    }

    /// Has the commit count the deliveries on the webhook, and the jobs that a poll ended.
    fn count(&self, tx: &mut Change<'_>) {
        for Classified { delivery, outcome, .. } in &self.classified {
            match delivery.via {
                Channel::Webhook => tx.tally().callback(outcome.name()),
                Channel::Poll if *outcome == Outcome::Accepted => tx.tally().recovered(),
                Channel::Poll | Channel::Replay => {}
            }
        }
        for surplus in &self.surplus {
            (0..surplus.deliveries).for_each(|_| tx.tally().callback("surplus"));
        }
    }

    async fn write(mut self, tx: &mut Change<'_>, seal: &Seal) -> sqlx::Result<()> {
        let received = deliveries::keep(tx, seal, &self.classified).await?;
        for completion in &mut self.results.completions {
            completion.received_at = received.get(&completion.job_id).copied();
        }
        for failure in &mut self.failures {
            failure.received_at = received.get(&failure.job_id).copied();
        }
        self.count(tx);
        for (job_id, attempt) in jobs::count_surplus(tx, &self.surplus).await? {
            let detail = json!({ "attempt": attempt, "via": "webhook", "outcome": "surplus" });
            self.notes.push(Note { job_id, kind: EventKind::Delivery, detail });
        }
        self.results.write(tx).await?;
        jobs::fail(tx, &self.failures).await?;
        jobs::note(tx, &self.notes).await?;
        jobs::poll_soon(tx, &self.useless).await
    }
}

/// Results, and the jobs they complete.
#[derive(Default)]
struct Results<'a> {
    found: Vec<(insights::DocumentOrigin<'a>, &'a Prepared)>,
    completions: Vec<Completion>,
}

impl Results<'_> {
    /// In this order: completing a job makes the statistics count what is stored for it.
    async fn write(self, tx: &mut Change<'_>) -> sqlx::Result<()> {
        insights::store(tx, &self.found).await?;
        jobs::complete(tx, &self.completions).await
    }
}
