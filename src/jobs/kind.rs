//! What can happen to a job.
use super::State;

/// What an event of a timeline tells. No others are ever written: the check `job_events_kind_known` lists
/// the same names.
///
/// Whoever reads events takes kinds as text: while an upgrade runs, a newer version may write one that
/// this version does not know, and callers are told of it all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Waits for its turn: it is new, or its caller wants another try.
    Queued,
    /// An attempt began.
    Submitting,
    /// The provider took it.
    Submitted,
    /// An attempt ended without effect; another one follows.
    Requeued,
    /// The provider may have taken it: no answer came.
    Unconfirmed,
    /// The provider may have taken it: the process that was submitting it is gone.
    Abandoned,
    /// A delivery came that ended nothing.
    Delivery,
    Completed,
    Failed,
    TimedOut,
    Canceled,
    /// A stored delivery was read again.
    Replayed,
    /// Its result was made anew by a newer parser.
    Reparsed,
    /// Its speakers got other names.
    SpeakersNamed,
}

impl EventKind {
    pub const ALL: [Self; 14] = [
        Self::Queued,
        Self::Submitting,
        Self::Submitted,
        Self::Requeued,
        Self::Unconfirmed,
        Self::Abandoned,
        Self::Delivery,
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
        Self::Canceled,
        Self::Replayed,
        Self::Reparsed,
        Self::SpeakersNamed,
    ];

    /// As it is written in JSON and in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Requeued => "requeued",
            Self::Unconfirmed => "unconfirmed",
            Self::Abandoned => "abandoned",
            Self::Delivery => "delivery",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Canceled => "canceled",
            Self::Replayed => "replayed",
            Self::Reparsed => "reparsed",
            Self::SpeakersNamed => "speakers_named",
        }
    }

    /// The kind of this name; `None` where only a newer version knows it.
    pub fn known(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The state it leaves its job in; `None` where it leaves it as it was.
    pub fn state(self) -> Option<State> {
        match self {
            Self::Queued | Self::Requeued => Some(State::Queued),
            Self::Submitting => Some(State::Submitting),
            Self::Submitted => Some(State::Submitted),
            Self::Completed => Some(State::Completed),
            Self::Failed => Some(State::Failed),
            Self::TimedOut => Some(State::TimedOut),
            Self::Canceled => Some(State::Canceled),
            Self::Unconfirmed
            | Self::Abandoned
            | Self::Delivery
            | Self::Replayed
            | Self::Reparsed
            | Self::SpeakersNamed => None,
        }
    }
}
