//! `GET /v1/admin/provider`.
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        ApiError, ApiQuery, ApiState,
        problems::{Code, Problems, codes},
    },
    callers::{Caller, Scope},
    http::NoParameters,
    jobs::ErrorClass,
    provider::gate::{self, Blame, Since, Standing},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How the provider takes what is submitted.
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
    /// Whether submissions are made as fast as its rate limit allows.
    takes_submissions: bool,
    /// Why it refuses them all; null while it takes them.
    refusing: Option<RefusingView>,
    /// It wants no calls before this.
    blocked_until: Option<DateTime<Utc>>,
}

/// Why the provider refuses every submission, which is no fault of theirs: they wait until somebody has mended it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefusingView {
    since: DateTime<Utc>,
    /// `auth`: Aftercall's credentials, or what its app may do. `upstream`: the URL, or something in between.
    class: ErrorClass,
    /// Of the last answer; null when the login was refused.
    status: Option<u16>,
    /// The provider's own, if it named one.
    code: Option<String>,
    /// When the next submission is sent, to see whether it is over.
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

/// Tell whether the provider takes submissions, and why not.
///
/// Needs the scope `admin:read`.
#[utoipa::path(
    get, path = "/v1/admin/provider", operation_id = "getProvider", tag = "admin",
    responses(
        (status = OK, body = ProviderView),
        Problems<{ codes(&[Code::MissingScope]) }>,
    ),
    security(("key" = [])),
)]
async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<ProviderView>, ApiError> {
    caller.require(Scope::AdminRead)?;
    let Standing { blocked_until, refusing } = gate::standing(&state.db).await?;
    Ok(Json(ProviderView {
        takes_submissions: refusing.is_none(),
        refusing: refusing.map(RefusingView::from),
        blocked_until,
    }))
}
