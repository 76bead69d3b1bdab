//! How long data is kept.
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    validate::SettingFaults,
    values::{Age, shown_age},
};

/// Each age counts from the end of the job, that of notifications from their event; `None` keeps it until the job goes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    pub partitions_ahead: u32,
    #[serde(with = "Age")]
    pub deliveries: Option<Duration>,
    #[serde(with = "Age")]
    pub results: Option<Duration>,
    #[serde(with = "Age")]
    pub timeline: Option<Duration>,
    #[serde(with = "Age")]
    pub contents: Option<Duration>,
    #[serde(with = "Age")]
    pub media: Option<Duration>,
    #[serde(with = "Age")]
    pub notifications: Option<Duration>,
    #[serde(with = "Age")]
    pub jobs: Option<Duration>,
}

/// For how long webhook tokens stay valid after the deadline of their job.
const TOKENS: Duration = Duration::from_hours(7 * 24);
/// A longer age can only be a mistake, and would reach beyond the time of the first ids.
const LONGEST: Duration = Duration::from_hours(50 * 365 * 24);

impl RetentionSettings {
    pub(super) fn check(&self, faults: &mut SettingFaults) {
        faults.check(self.partitions_ahead >= 1, "retention.partitions_ahead must be at least 1");
        let notifications = ("notifications", self.notifications);
        for (name, age) in self.ages().into_iter().chain([notifications]) {
            faults.check(
                age.is_none_or(|age| age <= LONGEST),
                &format!("retention.{name} is longer than 50 years: \"off\" keeps it for ever"),
            );
        }
        for (name, age) in self.ages() {
            if let (Some(age), Some(jobs)) = (age, self.jobs) {
                faults.check(
                    age <= jobs,
                    &format!(
                        "retention.{name} ({}) is longer than retention.jobs ({}), which deletes everything about \
                        a job: shorten it, or set it to \"off\" to keep it as long as the job",
                        shown_age(age),
                        shown_age(jobs)
                    ),
                );
            }
        }
    }

    /// `deadline`: of jobs.
    pub(super) fn check_with(&self, deadline: Duration, faults: &mut SettingFaults) {
        let least = deadline + TOKENS;
        // A recording is only needed while its job may be submitted.
        let is_needed = |name: &str| !matches!(name, "contents" | "media");
        for (name, age) in self.ages().into_iter().filter(|(name, _)| is_needed(name)) {
            faults.check(
                age.is_none_or(|age| age >= least),
                &format!(
                    "retention.{name} must be at least {} (jobs.deadline and 7 days): results may arrive until then",
                    shown_age(least)
                ),
            );
        }
    }

    /// Those that count from the end of the job.
    fn ages(&self) -> [(&'static str, Option<Duration>); 6] {
        [
            ("deliveries", self.deliveries),
            ("results", self.results),
            ("timeline", self.timeline),
            ("contents", self.contents),
            ("media", self.media),
            ("jobs", self.jobs),
        ]
    }
}
