//! `GET /v1/admin/provider`.
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{ApiError, ApiQuery, ApiState, problems::Problems},
    callers::Caller,
    http::NoParameters,
    jobs::ErrorClass,
    provider::gate::{self, Blame, GateState, Since},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Whether the provider accepts submissions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "takesSubmissions": false,
    "refusing": {
        "since": "2026-05-01T09:31:12.900Z", "class": "auth", "status": 403, "code": "CMN-401",
        "nextProbeAt": "2026-05-01T09:32:12.900Z",
    },
    "blockedUntil": null,
}))]
struct ProviderView {
    /// Whether jobs are submitted as fast as the rate limit allows.
    takes_submissions: bool,
    /// Why the provider rejects all submissions; null while it accepts them.
    refusing: Option<RefusingView>,
    /// The provider's rate limit allows no calls before this time.
    blocked_until: Option<DateTime<Utc>>,
}

/// Why the provider rejects every submission, for a reason unrelated to the jobs. Jobs stay queued until an
/// operator has fixed it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefusingView {
    since: DateTime<Utc>,
    /// `auth`: Aftercall's credentials, or the permissions of its app. `upstream`: the URL, or
    /// something between Aftercall and the provider.
    class: ErrorClass,
    /// HTTP status of the last response; null if the login was rejected.
    status: Option<u16>,
    /// The provider's error code, if it sent one.
    code: Option<String>,
    /// When the next submission is made to test whether the problem is over.
    next_probe_at: DateTime<Utc>,
}

impl From<Since> for RefusingView {
    fn from(Since { since, what, next_probe_at }: Since) -> Self {
        let class = match what.blame {
            Blame::Credentials => ErrorClass::Auth,
            Blame::Address => ErrorClass::Upstream,
        };
        Self { since, class, status: what.status, code: what.code, next_probe_at }
    }
}

/// Show whether the provider accepts submissions, and if not, why.
#[utoipa::path(
    get, path = "/v1/admin/provider", operation_id = "getProvider", tag = "admin",
    responses(
        (status = OK, body = ProviderView),
        Problems,
    ),
    security(("key" = ["admin:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    _caller: Caller,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<ProviderView>, ApiError> {
    let GateState { blocked_until, refusing } = gate::state(&state.db).await?;
    Ok(Json(ProviderView {
        takes_submissions: refusing.is_none(),
        refusing: refusing.map(RefusingView::from),
        blocked_until,
    }))
}
