//! What can be deleted because of its age, and which tables it is stored in.
use std::time::Duration;

use serde::Serialize;

use crate::config::RetentionSettings;

/// A part of what is stored about a job, with a setting for how long it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What the provider sent, byte for byte.
    Deliveries,
    /// The result as a document and as rows.
    Results,
    /// The events of a job.
    Timeline,
    /// Recordings that were uploaded in requests.
    Contents,
    /// Recordings that were uploaded on their own.
    Media,
    /// Messages to endpoints, and their attempts. Their age counts from their event.
    Notifications,
    /// The job, and with it all of the above except recordings.
    Jobs,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Jobs,
        Self::Results,
        Self::Deliveries,
        Self::Timeline,
        Self::Contents,
        Self::Media,
        Self::Notifications,
    ];

    /// As in the settings, and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::Results => "results",
            Self::Timeline => "timeline",
            Self::Contents => "contents",
            Self::Media => "media",
            Self::Notifications => "notifications",
            Self::Jobs => "jobs",
        }
    }

    /// Its tables; those of `Jobs` are the ones that go only with the job.
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Deliveries => &["deliveries"],
            Self::Results => &[
                "results",
                "utterances",
                "speakers",
                "speaker_names",
                "speaker_insights",
                "questions",
                "conversation_insights",
                "conversations",
                "conversation_speakers",
            ],
            Self::Timeline => &["job_events"],
            Self::Contents => &["job_contents"],
            Self::Media => &["media", "media_peaks"],
            Self::Notifications => &["notifications", "notification_attempts"],
            Self::Jobs => &["jobs", "attempts", "job_tags"],
        }
    }

    /// Whether its tables are partitioned by month.
    pub fn is_partitioned(self) -> bool {
        matches!(self, Self::Deliveries | Self::Results | Self::Timeline)
    }

    /// How long it is kept after the end of its job, as set; `None`: until the job goes.
    pub fn set_age(self, settings: &RetentionSettings) -> Option<Duration> {
        match self {
            Self::Deliveries => settings.deliveries,
            Self::Results => settings.results,
            Self::Timeline => settings.timeline,
            Self::Contents => settings.contents,
            Self::Media => settings.media,
            Self::Notifications => settings.notifications,
            Self::Jobs => settings.jobs,
        }
    }

    /// How long it is kept after the end of its job; `None`: for ever.
    pub fn age(self, settings: &RetentionSettings) -> Option<Duration> {
        self.set_age(settings).into_iter().chain(settings.jobs).min()
    }

    /// The kind that a table belongs to, and its name.
    pub fn of_table(name: &str) -> Option<(Self, &'static str)> {
        Self::ALL.into_iter().find_map(|kind| {
            let table = kind.tables().iter().find(|table| **table == name)?;
            Some((kind, *table))
        })
    }
}

/// All other tables, and why retention leaves them alone.
pub const KEPT: &[(&str, &str)] = &[
    ("api_keys", "until someone removes them; expired and revoked ones explain old requests"),
    ("api_replicas", "one row per process that serves the API, for as long as it runs"),
    ("caller_configs", "one row per caller and language"),
    ("callers", "one row per app"),
    ("contract_drift", "one row per difference, and no values"),
    ("endpoints", "until its caller deletes it, and no message refers to it any more"),
    ("hook_test", "one row, overwritten"),
    ("hour_changes", "seconds, until they are merged into hour_sums"),
    ("hour_sums", "sums by the hour, which say what happened"),
    ("idempotency_keys", "24 hours, whatever the settings"),
    ("provider_calls", "a window of the provider gate; later calls delete them"),
    ("provider_gate", "one row per rate group"),
    ("published_settings", "one row per setting"),
    ("schema_migrations", "one row per migration"),
    ("seal_keys", "one row per key"),
    ("service_samples", "one row, overwritten"),
    ("service_secrets", "one row per secret"),
    ("stat_changes", "seconds, until they are merged into stats"),
    ("stats", "sums by day and month; those of insight values go with the results"),
    ("write_probe", "one row"),
];
