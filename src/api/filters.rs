//! The parameters that select jobs, in lists, exports and actions alike.
use serde::{Deserialize, Deserializer, de::Error};
use utoipa::{
    IntoParams, ToSchema,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    http::Timestamp,
    jobs::{JobFilter, Period, State},
};

/// All conditions must hold.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(as = JobFilter)]
pub struct JobFilters {
    /// Only jobs in these states; may be repeated.
    #[serde(default)]
    #[param(required = false)]
    status: Vec<State>,
    /// Only jobs with this `externalId`.
    external_id: Option<String>,
    /// Only jobs with this tag; if repeated, only jobs with all of them.
    #[serde(default)]
    #[param(required = false)]
    tag: Vec<String>,
    /// Only recordings whose request has exactly this `languageCode`.
    #[param(example = "en-US")]
    language: Option<String>,
    /// Only recordings whose request has this `audioType`.
    #[param(example = "CallCenter")]
    audio_type: Option<String>,
    /// Only jobs created at or after this time.
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    created_after: Option<Timestamp>,
    /// Only jobs created before this time.
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    created_before: Option<Timestamp>,
    /// Only jobs completed at or after this time.
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    completed_after: Option<Timestamp>,
    /// Only jobs completed before this time.
    #[param(value_type = Option<DateTime<Utc>>)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    completed_before: Option<Timestamp>,
    /// Only recordings with at least this many speakers in the result.
    #[param(maximum = 65535)]
    #[schema(maximum = 65535)]
    min_speakers: Option<u16>,
    /// Only jobs with a conversational insight of this name; if repeated, with all of them.
    #[serde(default)]
    #[param(required = false, example = json!(["KeyPhrases"]))]
    has_insight: Vec<String>,
    /// Only jobs in which an utterance has this emotion; if repeated, jobs in which all of them
    /// occur.
    #[serde(default)]
    #[param(required = false, example = json!(["Anger"]))]
    has_emotion: Vec<String>,
}

impl From<JobFilters> for JobFilter {
    fn from(given: JobFilters) -> Self {
        let at = |moment: Option<Timestamp>| moment.map(|Timestamp(at)| at);
        Self {
            states: given.status,
            external_id: given.external_id,
            tags: given.tag,
            language: given.language,
            audio_type: given.audio_type,
            created: Period { after: at(given.created_after), before: at(given.created_before) },
            completed: Period {
                after: at(given.completed_after),
                before: at(given.completed_before),
            },
            min_speakers: given.min_speakers,
            insights: given.has_insight,
            emotions: given.has_emotion,
        }
    }
}

const STATUS: &str = "status";

/// The same without `status`, for what tells jobs apart by it.
#[derive(Debug)]
pub struct JobFiltersOfAnyState(pub JobFilters);

impl IntoParams for JobFiltersOfAnyState {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = JobFilters::into_params(place);
        all.retain(|parameter| parameter.name != STATUS);
        all
    }
}

impl<'de> Deserialize<'de> for JobFiltersOfAnyState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let filters = JobFilters::deserialize(deserializer)?;
        if filters.status.is_empty() {
            Ok(Self(filters))
        } else {
            Err(D::Error::custom(format!("{STATUS} is not a parameter")))
        }
    }
}
