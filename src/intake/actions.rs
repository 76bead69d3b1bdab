//! `POST /v1/jobs/actions`: one command for many jobs, each of which takes or refuses it on its own.
use std::{collections::BTreeMap, time::Instant};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    commands::{self, Refused},
    speakers,
    validation::no_nul,
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState, Code, JobFilters,
        problems::{OF_BODY, Problems, codes},
    },
    callers::{Caller, CallerId},
    db,
    http::{self, Fault, Faults, NoParameters, shortened},
    jobs::{self, JobFilter, JobId, ListPosition, State as JobState},
};

/// Jobs that one request looks at.
const MOST_JOBS: usize = 500;
/// Jobs of one transaction: enough of them cost little more than one, and few are locked for long.
const AT_ONCE: usize = 100;
/// Bytes of the detail of a refusal: there may be many.
const MAX_DETAIL: usize = 300;

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(act))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobAction)]
enum Action {
    Retry,
    Cancel,
    NameSpeakers,
}

impl Action {
    /// The states in which jobs take it.
    fn states(self) -> &'static [JobState] {
        match self {
            Self::Retry => &[JobState::Failed, JobState::TimedOut],
            Self::Cancel => &[JobState::Queued, JobState::Submitting, JobState::Submitted],
            Self::NameSpeakers => &[JobState::Completed],
        }
    }
}

/// What to do, and to which jobs: `ids` or a `filter`, which may be `{}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "action": "retry", "filter": { "tag": ["support"] }, "dryRun": true }))]
struct ActOnJobs {
    action: Action,
    /// With `nameSpeakers`: names by `speakerId`, which replace all earlier ones.
    #[schema(value_type = Option<speakers::Names>)]
    names: Option<BTreeMap<String, String>>,
    #[schema(value_type = Option<Vec<Uuid>>, min_items = 1, max_items = 500)]
    ids: Option<Vec<JobId>>,
    /// The filters of the list. Only jobs in a state that the action is for match.
    filter: Option<JobFilters>,
    /// `nextCursor` of the previous request, which asked for the same.
    #[schema(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Change nothing, and say what would be done and refused.
    #[serde(default)]
    dry_run: bool,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "matched": 3, "done": 2, "hasMore": false, "nextCursor": null,
    "refused": [{
        "id": "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", "code": "recording-expired",
        "detail": "the recording, or its URL, was deleted",
    }],
}))]
struct ActedView {
    /// Jobs that match from `cursor` on, or without one in all; at most 10,000 are counted.
    matched: i64,
    /// Jobs that took the action, or would have.
    done: usize,
    /// Whether some are left: repeat the request with `nextCursor` as its `cursor`.
    has_more: bool,
    #[schema(required)]
    next_cursor: Option<String>,
    refused: Vec<Refusal>,
}

/// Why one job did not take the action; with the other jobs it makes no difference.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedAction)]
struct Refusal {
    #[schema(value_type = Uuid)]
    id: JobId,
    code: Code,
    detail: String,
}

/// Retry, cancel or name the speakers of many jobs.
///
/// Each job takes the action as the single request would have it, or refuses it; oldest jobs come first. One request looks
/// at up to 500 jobs, or fewer if they take long: repeat it with `nextCursor` while `hasMore`.
/// A request that got no response can be repeated as it was: what has been retried or canceled takes it only once.
#[utoipa::path(
    post, path = "/v1/jobs/actions", operation_id = "actOnJobs", tag = "jobs",
    request_body = ActOnJobs,
    responses(
        (status = OK, body = ActedView),
        Problems<{ OF_BODY | codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["jobs:write"])),
    extensions(("x-rate-weight" = json!(10))),
)]
async fn act(
    State(state): State<ApiState>,
    caller: Caller,
    _query: ApiQuery<NoParameters>,
    body: ApiJson,
) -> Result<Json<ActedView>, ApiError> {
    let since = Instant::now();
    let mut faults = Faults::default();
    no_nul("#", &body.value, &mut faults);
    let asked: ActOnJobs = if faults.is_empty() {
        body.typed()?
    } else {
        return Err(ApiError::ValidationFailed(faults));
    };
    let command = Command::of(asked.action, asked.names)?;
    let selection = Selection::of(asked.action, asked.ids, asked.filter)?;
    let listing = selection.listing(&caller, &command);
    let open = |cursor: &str| state.cursors.open::<16>(&listing, cursor);
    let after = asked.cursor.as_deref().map(open).transpose()?;
    let after = after.map(|id| JobId::from(Uuid::from_bytes(id)));
    let (matched, ids) = selection.jobs(&state, &caller, after).await?;

    // Leaves time to respond.
    let longest = state.request_timeout / 2;
    let mut acted = Acted::default();
    for some in ids[..ids.len().min(MOST_JOBS)].chunks(AT_ONCE) {
        acted.add(some, command.apply(&state, caller.id, some, asked.dry_run).await?);
        if since.elapsed() > longest {
            break;
        }
    }
    let has_more = acted.count() < ids.len();
    let last = acted.last.filter(|_| has_more);
    Ok(Json(ActedView {
        matched,
        done: acted.done,
        has_more,
        next_cursor: last.map(|id| state.cursors.seal(&listing, id.uuid().as_bytes())),
        refused: acted.refused,
    }))
}

/// An action with what it needs.
#[derive(Debug)]
enum Command {
    Retry,
    Cancel,
    NameSpeakers(BTreeMap<String, String>),
}

impl Command {
    /// # Errors
    /// If there are names for another action, or none for this one, or if one of them is not valid.
    fn of(action: Action, names: Option<BTreeMap<String, String>>) -> Result<Self, ApiError> {
        let faulty = |code, detail| {
            Err(ApiError::ValidationFailed(Fault::at("#/names", code, detail).into()))
        };
        match (action, names) {
            (Action::NameSpeakers, Some(names)) => {
                let wrong = speakers::faults_of_names("#/names", &names);
                if wrong.is_empty() {
                    Ok(Self::NameSpeakers(names))
                } else {
                    Err(ApiError::ValidationFailed(wrong))
                }
            }
            (Action::NameSpeakers, None) => faulty("missing", "is required with nameSpeakers"),
            (_, Some(_)) => faulty("conflict", "is only for nameSpeakers"),
            (Action::Retry, None) => Ok(Self::Retry),
            (Action::Cancel, None) => Ok(Self::Cancel),
        }
    }

    /// Does it to those of the jobs that take it, as the route for one job does.
    async fn apply(
        &self,
        state: &ApiState,
        caller_id: CallerId,
        ids: &[JobId],
        dry_run: bool,
    ) -> Result<Refused, ApiError> {
        let mut tx = state.announcer.begin(&state.db).await?;
        let refused = match self {
            Self::Retry => commands::retry_jobs(state, &mut tx, caller_id, ids, None).await?,
            Self::Cancel => commands::cancel_jobs(&mut tx, caller_id, ids).await?,
            Self::NameSpeakers(names) => speakers::name_all(&mut tx, caller_id, ids, names).await?,
        };
        // Otherwise dropping the transaction rolls it back.
        if !dry_run {
            tx.commit().await?;
        }
        Ok(refused)
    }
}

/// Which jobs.
#[derive(Debug)]
enum Selection {
    /// In their order, each once.
    Ids(Vec<JobId>),
    /// `None` if no job can match: none of the states asked for takes the action.
    Filter(Option<JobFilter>),
}

impl Selection {
    /// # Errors
    /// Unless there is exactly one of both, or with too many ids.
    fn of(
        action: Action,
        ids: Option<Vec<JobId>>,
        filter: Option<JobFilters>,
    ) -> Result<Self, ApiError> {
        let faulty = |at, code, detail: String| {
            Err(ApiError::ValidationFailed(Fault::at(at, code, detail).into()))
        };
        match (ids, filter) {
            (Some(ids), None) if !(1..=MOST_JOBS).contains(&ids.len()) => {
                faulty("#/ids", "length", format!("must have 1 to {MOST_JOBS} items"))
            }
            (Some(mut ids), None) => {
                ids.sort_unstable();
                ids.dedup();
                Ok(Self::Ids(ids))
            }
            (None, Some(filter)) => {
                let mut filter = JobFilter::from(filter);
                let asked = std::mem::take(&mut filter.states);
                let is_asked = |state: &&JobState| asked.is_empty() || asked.contains(state);
                filter.states = action.states().iter().filter(is_asked).copied().collect();
                let may_match = !filter.states.is_empty();
                Ok(Self::Filter(may_match.then_some(filter)))
            }
            (Some(_), Some(_)) => faulty("#/ids", "conflict", "give ids or a filter".to_owned()),
            (None, None) => faulty("#", "missing", "ids or a filter is required".to_owned()),
        }
    }

    /// What binds cursors to this caller and request.
    fn listing(&self, caller: &Caller, command: &Command) -> String {
        let conditions = match self {
            Self::Ids(ids) => http::conditions(ids),
            Self::Filter(filter) => http::conditions(filter),
        };
        format!("actions {} {command:?} {conditions}", caller.id)
    }

    /// How many jobs match after this one, and the oldest of them: one more than a request looks at, if there are more.
    async fn jobs(
        &self,
        state: &ApiState,
        caller: &Caller,
        after: Option<JobId>,
    ) -> Result<(i64, Vec<JobId>), ApiError> {
        match self {
            Self::Ids(ids) => {
                let ids = ids.iter().copied().filter(|id| after.is_none_or(|after| *id > after));
                let ids: Vec<JobId> = ids.collect();
                Ok((i64::try_from(ids.len()).unwrap_or(i64::MAX), ids))
            }
            Self::Filter(None) => Ok((0, Vec::new())),
            Self::Filter(Some(filter)) => {
                let (db, position) = (&state.db, ListPosition::After(after));
                let limit = i64::try_from(MOST_JOBS).unwrap_or(i64::MAX) + 1;
                let mut tx = db::begin_reading(db).await?;
                let ids = jobs::ids(&mut tx, caller.id, filter, position, limit).await?;
                let matched = jobs::count_after(&mut tx, caller.id, filter, after).await?;
                Ok((matched, ids))
            }
        }
    }
}

/// What became of the jobs so far.
#[derive(Debug, Default)]
struct Acted {
    done: usize,
    refused: Vec<Refusal>,
    last: Option<JobId>,
}

impl Acted {
    fn add(&mut self, ids: &[JobId], refused: Refused) {
        self.last = ids.last().copied().or(self.last);
        self.done += ids.len() - refused.len();
        self.refused.extend(refused.into_iter().map(|(id, error)| {
            let code = error.code();
            let detail = match error {
                // Says only how many there are.
                ApiError::ValidationFailed(faults) => told(&faults),
                error => error.to_string(),
            };
            Refusal { id, code, detail: shortened(detail, MAX_DETAIL) }
        }));
    }

    fn count(&self) -> usize {
        self.done + self.refused.len()
    }
}

fn told(faults: &Faults) -> String {
    let one = |fault: &Fault| {
        format!("{} {}", fault.pointer.as_deref().unwrap_or_default(), fault.detail)
    };
    faults.listed().iter().map(one).collect::<Vec<_>>().join("; ")
}
