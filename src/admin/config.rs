//! `GET /v1/admin/config`.
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{ApiError, ApiQuery, ApiState, problems::Problems},
    callers::Caller,
    config::ShownSetting,
    http::NoParameters,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The settings in use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "environment": "production",
    "data": [
        { "name": "dispatch.concurrency", "value": "16", "source": "AFTERCALL__DISPATCH__CONCURRENCY" },
        { "name": "provider.jwt", "value": "(set, not shown)", "source": "RC_JWT" },
    ],
}))]
struct SettingsView {
    /// `AFTERCALL_ENV`.
    environment: String,
    /// By name.
    data: Vec<SettingView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SettingView {
    #[schema(example = "dispatch.concurrency")]
    name: String,
    /// Empty if it is not set; `(set, not shown)` for a secret that is.
    value: String,
    /// `default`, the name of a file, or that of an environment variable.
    source: String,
}

/// Show the settings of the process that answers, as `aftercall config print` does.
///
/// Secrets are not shown. What has been reloaded since the start is shown as it is now.
#[utoipa::path(
    get, path = "/v1/admin/config", operation_id = "getConfig", tag = "admin",
    responses(
        (status = OK, body = SettingsView),
        Problems,
    ),
    security(("key" = ["admin:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    _caller: Caller,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<SettingsView>, ApiError> {
    let view = |(name, ShownSetting { value, source })| SettingView { name, value, source };
    let data = state.settings.all().into_iter().map(view).collect();
    Ok(Json(SettingsView { environment: state.settings.environment().to_owned(), data }))
}
