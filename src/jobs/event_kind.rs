//! The kinds of events in a job's timeline.
use super::State;

/// The kind of a timeline event. The check constraint `job_events_kind_known` lists the same names.
///
/// Readers of events treat kinds as text: during an upgrade a newer version may write a kind unknown to this one, which
/// callers must still receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Waits for its turn: it is new, or its caller retried it.
    Queued,
    /// An attempt began.
    Submitting,
    /// The provider accepted it.
    Submitted,
    /// An attempt ended without effect; another one follows.
    Requeued,
    /// The provider may have accepted it: there was no response.
    Unconfirmed,
    /// The provider may have accepted it: the process that was submitting it is gone.
    Abandoned,
    /// A delivery arrived that ended nothing.
    Delivery,
    Completed,
    Failed,
    TimedOut,
    Canceled,
    /// A stored delivery was replayed.
    Replayed,
    /// Its result was recomputed by a newer parser.
    Reparsed,
    /// Its speakers were renamed.
    SpeakersNamed,
    /// Its result was deleted because of its age.
    ResultExpired,
}

impl EventKind {
    pub const ALL: [Self; 15] = [
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
        Self::ResultExpired,
    ];

    /// As written in JSON and in Postgres.
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
            Self::ResultExpired => "result_expired",
        }
    }

    /// The kind with this name; `None` if only a newer version knows it.
    pub fn known(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the job's result is another one afterwards, or gone.
    pub fn changes_result(self) -> bool {
        matches!(self, Self::Reparsed | Self::ResultExpired)
    }

    /// The state it leaves its job in; `None` if it does not change the state.
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
            | Self::SpeakersNamed
            | Self::ResultExpired => None,
        }
    }
}
