//! The measures of a group of jobs.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A number about a group of finished jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Measure {
    Jobs,
    Completed,
    Failed,
    TimedOut,
    Canceled,
    Utterances,
    Words,
    Questions,
    Interruptions,
    DurationSeconds,
    TalkSeconds,
    SilenceSeconds,
    OverlapSeconds,
    TurnaroundSeconds,
    AverageDurationSeconds,
    AverageTurnaroundSeconds,
    WordsPerMinute,
}

impl Measure {
    pub const ALL: [Self; 17] = [
        Self::Jobs,
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
        Self::Canceled,
        Self::Utterances,
        Self::Words,
        Self::Questions,
        Self::Interruptions,
        Self::DurationSeconds,
        Self::TalkSeconds,
        Self::SilenceSeconds,
        Self::OverlapSeconds,
        Self::TurnaroundSeconds,
        Self::AverageDurationSeconds,
        Self::AverageTurnaroundSeconds,
        Self::WordsPerMinute,
    ];

    /// Measures that are known per emotion.
    pub const OF_EMOTIONS: [Self; 3] = [Self::Completed, Self::Utterances, Self::TalkSeconds];

    /// Its column in [`Measures`], and the SQL that computes it from the sums of a group.
    pub(super) fn column(self) -> (&'static str, &'static str) {
        match self {
            Self::Jobs => ("jobs", "completed + failed + timed_out + canceled"),
            Self::Completed => ("completed", "completed"),
            Self::Failed => ("failed", "failed"),
            Self::TimedOut => ("timed_out", "timed_out"),
            Self::Canceled => ("canceled", "canceled"),
            Self::Utterances => ("utterances", "utterances"),
            Self::Words => ("words", "words"),
            Self::Questions => ("questions", "questions"),
            Self::Interruptions => ("interruptions", "interruptions"),
            Self::DurationSeconds => ("duration_seconds", "(duration_ms / 1000.0)::float8"),
            Self::TalkSeconds => ("talk_seconds", "(talk_ms / 1000.0)::float8"),
            Self::SilenceSeconds => ("silence_seconds", "(silence_ms / 1000.0)::float8"),
            Self::OverlapSeconds => ("overlap_seconds", "(overlap_ms / 1000.0)::float8"),
            Self::TurnaroundSeconds => ("turnaround_seconds", "(turnaround_ms / 1000.0)::float8"),
            Self::AverageDurationSeconds => (
                "average_duration_seconds",
                "round(duration_ms / 1000.0 / nullif(completed, 0), 3)::float8",
            ),
            Self::AverageTurnaroundSeconds => (
                "average_turnaround_seconds",
                "round(turnaround_ms / 1000.0 / nullif(completed, 0), 3)::float8",
            ),
            Self::WordsPerMinute => {
                ("words_per_minute", "round(words * 60000.0 / nullif(talk_ms, 0), 1)::float8")
            }
        }
    }
}

/// The measures of a group; absent if not requested, or if there is nothing to average.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Measures {
    /// Finished jobs, in any final state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<i64>,
    /// Jobs with a result. All measures below except the other three states are about these jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timed_out: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canceled: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utterances: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub questions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interruptions: Option<i64>,
    /// Total duration of the recordings, each up to the end of its last utterance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub talk_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<f64>,
    /// Total time from creation to completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turnaround_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_turnaround_seconds: Option<f64>,
    /// Words per minute of talk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
}
