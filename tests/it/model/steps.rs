//! Everything that may happen to a few jobs, in any order. Numbers select from what exists (modulo its size), so that
//! every sequence makes sense, even after shrinking.
use std::time::Duration;

use aftercall::jobs::RetryReason;
use proptest::{collection::vec, prelude::*};

/// All waits are whole minutes, far longer than a case takes: time passes only through [`Step::Pass`].
pub const LEASE: i64 = 2;
pub const BACKOFF: i64 = 5;
pub const POLL_AFTER: i64 = 10;
pub const UNCONFIRMED_WAIT: i64 = 15;
pub const DEADLINE: i64 = 60;
pub const MAX_ATTEMPTS: u32 = 3;
/// Deliveries per attempt that are stored although they end nothing.
pub const ATTEMPT_DELIVERIES: u32 = 3;

pub fn minutes(minutes: i64) -> Duration {
    Duration::from_mins(u64::try_from(minutes).unwrap())
}

#[derive(Debug, Clone)]
pub enum Step {
    /// The dispatcher claims due jobs.
    Claim {
        most: usize,
    },
    /// A process learns the provider's response, however late. A process that died never does.
    Answer {
        which: u8,
        answer: Answer,
    },
    /// Deliveries arrive at webhook URLs and commit together.
    Deliver(Vec<Sent>),
    /// The reconciler claims a submitted job to poll it.
    ClaimPoll,
    AnswerPoll {
        which: u8,
        answer: Report,
    },
    AbandonLeases,
    RequeueUnconfirmed,
    Expire,
    Cancel {
        job: u8,
    },
    Retry {
        job: u8,
    },
    Pass {
        minutes: i64,
    },
}

/// The outcome of a submission.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Accepted {
        with_id: bool,
    },
    Refused,
    /// Failed too often.
    GivenUp,
    Released(RetryReason),
    Unknown,
}

/// A delivery to the webhook of any attempt ever made.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub attempt: u8,
    pub report: Report,
}

/// A report of the provider about a job.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    pub what: What,
    /// The job id in the report.
    pub id: Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    Success(u8),
    Failure(u8),
    InProgress,
    Noise(u8),
    /// The provider does not know the job. For a webhook, the same as noise.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    Own,
    Missing,
    Foreign,
}

/// Identifies the bodies that reach one job: equal values mean equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content {
    what: What,
    names: Option<Named>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Named {
    Attempt(i32),
    Foreign,
}

/// A few jobs, some with inline content, and the steps that follow.
pub fn case() -> impl Strategy<Value = (Vec<bool>, Vec<Step>)> {
    let steps = prop_oneof![9 => step().prop_map(|step| vec![step]), 1 => Just(given_up())];
    (vec(any::<bool>(), 1..=2), vec(steps, 1..50).prop_map(|steps| steps.concat()))
}

/// A sequence that chance rarely produces: no response arrives, and the next attempts are made.
fn given_up() -> Vec<Step> {
    let pass = Step::Pass { minutes: UNCONFIRMED_WAIT };
    vec![pass, Step::AbandonLeases, Step::RequeueUnconfirmed, Step::Claim { most: 2 }]
}

/// Jobs that several actors work on concurrently, and the steps of each actor.
pub fn crowd() -> impl Strategy<Value = (Vec<bool>, Vec<Vec<Step>>)> {
    (vec(any::<bool>(), 4), vec(vec(step(), 20), 6))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..=3_usize).prop_map(|most| Step::Claim { most }),
        6 => (any::<u8>(), answer()).prop_map(|(which, answer)| Step::Answer { which, answer }),
        4 => vec(sent(), 1..=3).prop_map(Step::Deliver),
        3 => Just(Step::ClaimPoll),
        3 => (any::<u8>(), report()).prop_map(|(which, answer)| Step::AnswerPoll { which, answer }),
        3 => Just(Step::AbandonLeases),
        3 => Just(Step::RequeueUnconfirmed),
        2 => Just(Step::Expire),
        1 => any::<u8>().prop_map(|job| Step::Cancel { job }),
        2 => any::<u8>().prop_map(|job| Step::Retry { job }),
        6 => prop::sample::select(vec![LEASE, BACKOFF, POLL_AFTER, UNCONFIRMED_WAIT, DEADLINE])
            .prop_map(|minutes| Step::Pass { minutes }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let retry_reasons = vec![
        RetryReason::Throttled,
        RetryReason::Broken,
        RetryReason::Unreachable,
        RetryReason::Unauthorized,
        RetryReason::Misdirected,
    ];
    prop_oneof![
        4 => any::<bool>().prop_map(|with_id| Answer::Accepted { with_id }),
        1 => Just(Answer::Refused),
        1 => Just(Answer::GivenUp),
        3 => prop::sample::select(retry_reasons).prop_map(Answer::Released),
        3 => Just(Answer::Unknown),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    (any::<u8>(), report()).prop_map(|(attempt, report)| Sent { attempt, report })
}

fn report() -> impl Strategy<Value = Report> {
    let what = prop_oneof![
        4 => (0..3_u8).prop_map(What::Success),
        3 => (0..2_u8).prop_map(What::Failure),
        1 => Just(What::InProgress),
        1 => (0..2_u8).prop_map(What::Noise),
        2 => Just(What::Nothing),
    ];
    // Without an id, attempts are reported with equal bytes.
    let id = prop_oneof![4 => Just(Id::Own), 4 => Just(Id::Missing), 1 => Just(Id::Foreign)];
    (what, id).prop_map(|(what, id)| Report { what, id })
}

impl Report {
    /// The body, about the attempt that the provider calls `own`.
    pub fn body(self, own: &str) -> String {
        let id = match self.id {
            Id::Own => format!(r#""jobId":"{own}","#),
            Id::Missing => String::new(),
            Id::Foreign => r#""jobId":"rc-elsewhere","#.to_owned(),
        };
        match self.what {
            What::Success(n) => format!(
                r#"{{{id}"status":"Success","response":{{"utteranceInsights":[
                    {{"start":0.5,"end":1.5,"text":"{}","speakerId":"0"}}]}}}}"#,
                words(n)
            ),
            What::Failure(n) => format!(
                r#"{{{id}"status":"Fail","response":{{"errors":[{{"errorCode":"CAI-{n}"}}]}}}}"#
            ),
            What::InProgress => format!(r#"{{{id}"status":"InProgress"}}"#),
            What::Noise(n) => format!("<html>{n}"),
            What::Nothing => "not found".to_owned(),
        }
    }

    /// Identifies its body when it is about this attempt.
    pub fn content(self, attempt: i32) -> Content {
        let has_id = !matches!(self.what, What::Noise(_) | What::Nothing);
        let names = match self.id {
            Id::Own if has_id => Some(Named::Attempt(attempt)),
            Id::Foreign if has_id => Some(Named::Foreign),
            _ => None,
        };
        Content { what: self.what, names }
    }

    /// The provider's job id in the body; `None` when there is none.
    pub fn names(self, own: &str) -> Option<String> {
        match self.id {
            Id::Own => Some(own.to_owned()),
            Id::Missing => None,
            Id::Foreign => Some("rc-elsewhere".to_owned()),
        }
    }
}

/// The text of the only utterance of a success.
pub fn words(n: u8) -> String {
    format!("Words {n}")
}

/// The provider's id of an attempt.
pub fn provider_job_id(job: usize, attempt: i32) -> String {
    format!("rc-{job}-{attempt}")
}
