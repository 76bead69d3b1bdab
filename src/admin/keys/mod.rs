//! `/v1/admin/keys`: API keys of all callers. A key with `admin:write` may create keys with any scope, for any caller.
mod body;
mod views;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    body::{CreateKey, RollKey, ToCreate, ToRoll},
    views::{KeyView, NewKeyView},
};
use crate::{
    api::{
        ApiError, ApiJson, ApiPath, ApiQuery, ApiState,
        problems::{Code, OF_BODY, Problems, codes},
    },
    callers::{self, Caller, KeyFilter, KeyRow, KeyTerms, NewKey, Rolled},
    http::{self, Limit, NoParameters, Page},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(roll))
}

/// Which keys, and how many per page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListKeys {
    /// Only keys of this caller.
    caller: Option<String>,
    /// Only valid keys that have not been used for this many days, and are at least as old.
    #[param(minimum = 0, maximum = 65_535)]
    unused_days: Option<u16>,
    /// Keys per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page; the filters must be the same.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// List API keys, newest first, without their secrets.
#[utoipa::path(
    get, path = "/v1/admin/keys", operation_id = "listKeys", tag = "admin",
    params(ListKeys),
    responses((status = OK, body = Page<KeyView>), Problems<{ codes(&[Code::CursorMismatch]) }>),
    security(("key" = ["admin:read"])),
)]
async fn list(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiQuery(query): ApiQuery<ListKeys>,
) -> Result<Json<Page<KeyView>>, ApiError> {
    let limit = query.limit.unwrap_or_default();
    let unused_for =
        query.unused_days.map(|days| std::time::Duration::from_hours(u64::from(days) * 24));
    let filter = KeyFilter { id: None, caller: query.caller, unused_for };
    let listing = format!("keys {}", http::conditions(&filter));
    let open = |cursor: &str| state.cursors.open_any(&listing, cursor);
    let before = query.cursor.as_deref().map(open).transpose()?;
    let before = before.map(|id| String::from_utf8_lossy(&id).into_owned());
    let rows = callers::keys(&state.db, &filter, before.as_deref(), limit.get() + 1).await?;
    let seal = |row: &KeyRow| state.cursors.seal(&listing, row.id.as_bytes());
    Ok(Json(Page::new(rows, limit, seal, KeyView::from)))
}

/// Create an API key.
///
/// The response shows the key this once. A repeated request creates another key: revoke those that no one uses.
#[utoipa::path(
    post, path = "/v1/admin/keys", operation_id = "createKey", tag = "admin",
    request_body = CreateKey,
    responses((status = CREATED, body = NewKeyView), Problems<OF_BODY>),
    security(("key" = ["admin:write"])),
)]
async fn create(
    State(state): State<ApiState>,
    _caller: Caller,
    _query: ApiQuery<NoParameters>,
    body: ApiJson,
) -> Result<Response, ApiError> {
    let asked = ToCreate::read(body.value, &state.keys).map_err(ApiError::ValidationFailed)?;
    let terms = KeyTerms { lifetime: asked.lifetime, scopes: &asked.scopes, rate: asked.rate };
    let key = callers::create(&state.db, &asked.caller, &asked.name, terms).await?;
    created(&state, key).await
}

/// Revoke an API key.
///
/// It is rejected within a second. Streams, waits and exports that use it end within a few seconds.
#[utoipa::path(
    delete, path = "/v1/admin/keys/{id}", operation_id = "revokeKey", tag = "admin",
    params(("id" = String, Path, description = "The part of the key between `ac_` and the next `_`")),
    responses(
        (status = NO_CONTENT, description = "The key is revoked, or was before"),
        Problems<{ codes(&[Code::KeyNotFound]) }>,
    ),
    security(("key" = ["admin:write"])),
)]
async fn revoke(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiPath(id): ApiPath<String>,
    _query: ApiQuery<NoParameters>,
) -> Result<StatusCode, ApiError> {
    if !callers::revoke(&state.db, &id).await? {
        find(&state, id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Replace an API key by a successor.
///
/// The successor has the same caller, name, scopes and rate; the response shows it this once. The old key stays valid for a
/// while, so that the app can change over. A key whose successor is valid gets no other: if it was lost, revoke it first.
#[utoipa::path(
    post, path = "/v1/admin/keys/{id}/roll", operation_id = "rollKey", tag = "admin",
    params(("id" = String, Path, description = "The part of the old key between `ac_` and the next `_`")),
    request_body = Option<RollKey>,
    responses(
        (status = CREATED, body = NewKeyView),
        Problems<{ OF_BODY | codes(&[Code::KeyNotFound, Code::StateConflict]) }>,
    ),
    security(("key" = ["admin:write"])),
)]
async fn roll(
    State(state): State<ApiState>,
    _caller: Caller,
    ApiPath(id): ApiPath<String>,
    _query: ApiQuery<NoParameters>,
    body: Option<ApiJson>,
) -> Result<Response, ApiError> {
    let body = body.map(|body| body.value).filter(|body| !body.is_null());
    let body = body.unwrap_or_else(|| serde_json::json!({}));
    let ToRoll { overlap, lifetime } =
        ToRoll::read(body, &state.keys).map_err(ApiError::ValidationFailed)?;
    match callers::roll(&state.db, &id, overlap, lifetime).await? {
        Rolled::Successor(key) => created(&state, key).await,
        Rolled::Before(successor) => Err(ApiError::KeyRolled(successor)),
        Rolled::NotValid => {
            find(&state, id).await?;
            Err(ApiError::KeyEnded)
        }
    }
}

async fn find(state: &ApiState, id: String) -> Result<KeyRow, ApiError> {
    let one = KeyFilter { id: Some(id.clone()), ..KeyFilter::default() };
    let found = callers::keys(&state.db, &one, None, 1).await?.pop();
    found.ok_or(ApiError::KeyNotFound(id))
}

/// The 201 with the key, which must not be stored on the way.
async fn created(state: &ApiState, key: NewKey) -> Result<Response, ApiError> {
    let about = find(state, key.id).await?.into();
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let view = NewKeyView { key: key.text, about };
    Ok((StatusCode::CREATED, [no_store], Json(view)).into_response())
}
