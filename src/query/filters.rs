//! The parameters by which jobs are chosen, in lists and exports alike.
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    http::Timestamp,
    jobs::{Filter, Period, State},
};

/// All conditions must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobFilters {
    /// Only jobs in these states; may be repeated.
    #[serde(default)]
    #[param(required = false)]
    status: Vec<State>,
    /// Only jobs with this name of yours.
    external_id: Option<String>,
    /// Only jobs with this tag; repeated: with all of them.
    #[serde(default)]
    #[param(required = false)]
    tag: Vec<String>,
    /// Only recordings in this language: `languageCode` of the request, letter for letter.
    #[param(example = "en-US")]
    language: Option<String>,
    /// Only recordings of this kind: `audioType` of the request.
    #[param(example = "CallCenter")]
    audio_type: Option<String>,
    /// Only jobs created then or later.
    #[param(value_type = Option<DateTime<Utc>>)]
    created_after: Option<Timestamp>,
    /// Only jobs created before.
    #[param(value_type = Option<DateTime<Utc>>)]
    created_before: Option<Timestamp>,
    /// Only completed jobs whose result came then or later.
    #[param(value_type = Option<DateTime<Utc>>)]
    completed_after: Option<Timestamp>,
    /// Only completed jobs whose result came before.
    #[param(value_type = Option<DateTime<Utc>>)]
    completed_before: Option<Timestamp>,
    /// Only recordings in which at least this many speakers were found.
    #[param(maximum = 65535)]
    min_speakers: Option<u16>,
    /// Only jobs with a conversational insight of this name; repeated: of all of them.
    #[serde(default)]
    #[param(required = false, example = json!(["KeyPhrases"]))]
    has_insight: Vec<String>,
    /// Only jobs in which an utterance has this emotion; repeated: all of them occur.
    #[serde(default)]
    #[param(required = false, example = json!(["Anger"]))]
    has_emotion: Vec<String>,
}

impl From<JobFilters> for Filter {
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
