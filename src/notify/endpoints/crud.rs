//! Creates, lists, shows, changes and deletes endpoints.
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    OwnedEndpoint,
    body::{self, CreateEndpoint, Draft, UpdateEndpoint},
    views::{EndpointView, EndpointWithSecret},
};
use crate::{
    api::{
        ApiError, ApiJson, ApiQuery, ApiState,
        idempotency::{self, Replay},
        problems::{Code, OF_BODY, OF_ENDPOINT, Problems, codes},
    },
    callers::Caller,
    egress::Secret,
    endpoints::{self, Endpoint, EndpointChange, EventType, NewEndpoint},
    http::{Limit, NoParameters, Page},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(show, update, delete))
}

/// Create an endpoint.
///
/// The response has the signing secret, this once.
#[utoipa::path(
    post, path = "/v1/endpoints", operation_id = "createEndpoint", tag = "notifications",
    params((
        "Idempotency-Key" = Option<String>, Header,
        pattern = "^(\"[!-~]{1,253}\"|[!#-~][!-~]{0,254})$",
        description = "1 to 255 visible ASCII characters; may be quoted",
    )),
    request_body = CreateEndpoint,
    responses(
        (status = CREATED, body = EndpointWithSecret, headers(("Location" = String))),
        Problems<{ OF_BODY | codes(&[Code::IdempotencyKeyReused, Code::EndpointLimit]) }>,
    ),
    security(("key" = ["notify:write"])),
)]
async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    _query: ApiQuery<NoParameters>,
    headers: HeaderMap,
    body: ApiJson,
) -> Result<Response, ApiError> {
    let key = idempotency::key(&headers, &caller, "POST /v1/endpoints", &body.bytes)?;
    let guard = state.sender.guard();
    let draft = Draft::read(&body.value, body::CREATE, &["url"], guard, &caller).await?;
    let mut tx = state.announcer.begin(&state.db).await?;
    if let Some(key) = &key
        && let Replay::Stored { location, body, .. } = idempotency::reserve(&mut tx, key).await?
    {
        drop(tx);
        return Ok(idempotency::replayed(again(&state, &location, &body).await?));
    }
    let (endpoint, secret) = stored(&state, &caller, draft, &mut tx).await?;
    let location = format!("/v1/endpoints/{}", endpoint.id);
    let view = EndpointView::from(endpoint);
    let stored = serde_json::to_string(&view).map_err(|error| ApiError::Internal(error.into()))?;
    if let Some(key) = &key {
        // The secret is not stored with the response: it is in the endpoint's row, sealed.
        idempotency::record(&mut tx, key, StatusCode::CREATED, &location, &stored).await?;
    }
    tx.commit().await?;
    created(&location, &EndpointWithSecret::new(view, &secret))
}

async fn stored(
    state: &ApiState,
    caller: &Caller,
    draft: Draft,
    tx: &mut sqlx::PgTransaction<'_>,
) -> Result<(Endpoint, Secret), ApiError> {
    let secret = draft.secret.unwrap_or_else(Secret::generate);
    let url = draft.url.ok_or_else(|| ApiError::Internal("a draft without its URL".into()))?;
    let events = draft.events.unwrap_or_else(|| EventType::DEFAULT.to_vec());
    let include = draft.include.unwrap_or_default();
    let description = draft.description.filter(|text| !text.is_empty());
    let id = Uuid::now_v7();
    let new = NewEndpoint {
        id,
        url: &url,
        events: &events,
        include: &include,
        description: description.as_deref(),
        secret: &secret,
    };
    let most = state.notify.endpoints_per_caller;
    if !endpoints::create(tx, &state.seal, caller.id, &new, most).await? {
        return Err(ApiError::EndpointLimit(most));
    }
    let endpoint = endpoints::find(&mut **tx, caller.id, id).await?;
    Ok((endpoint.ok_or(ApiError::EndpointNotFound(id))?, secret))
}

/// The response to the first request, with the secret as long as it is still the same.
async fn again(state: &ApiState, location: &str, stored: &str) -> Result<Response, ApiError> {
    let internal = |error: serde_json::Error| ApiError::Internal(error.into());
    let mut view: Value = serde_json::from_str(stored).map_err(internal)?;
    let id = view["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
    if let Some(secret) = endpoints::secret(&state.db, &state.seal, id).await? {
        let secret = secret.map_err(|error| ApiError::Internal(error.into()))?;
        view["secret"] = secret.reveal().expose_secret().into();
    }
    created(location, &view)
}

fn created(location: &str, body: &impl serde::Serialize) -> Result<Response, ApiError> {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_str(location)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListEndpoints {
    /// Endpoints per page; default 50.
    #[param(minimum = 1, maximum = 200, value_type = Option<i64>)]
    limit: Option<Limit>,
    /// `nextCursor` of the previous page.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// List endpoints, oldest first.
#[utoipa::path(
    get, path = "/v1/endpoints", operation_id = "listEndpoints", tag = "notifications",
    params(ListEndpoints),
    responses(
        (status = OK, body = Page<EndpointView>, headers(("Link" = String))),
        Problems<{ codes(&[Code::CursorMismatch]) }>,
    ),
    security(("key" = ["notify:write"])),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    ApiQuery(query): ApiQuery<ListEndpoints>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or_default();
    let listing = format!("endpoints {}", caller.id);
    let open = |cursor| state.cursors.open::<16>(&listing, cursor).map(Uuid::from_bytes);
    let after = query.cursor.as_deref().map(open).transpose()?;
    let rows = endpoints::list(&state.db, caller.id, after, limit.get() + 1).await?;
    let seal = |row: &Endpoint| state.cursors.seal(&listing, row.id.as_bytes());
    Ok(Page::new(rows, limit, seal, EndpointView::from).answer(&uri))
}

/// Show one endpoint.
#[utoipa::path(
    get, path = "/v1/endpoints/{id}", operation_id = "getEndpoint", tag = "notifications",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = EndpointView), Problems<OF_ENDPOINT>),
    security(("key" = ["notify:write"])),
)]
async fn show(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    _query: ApiQuery<NoParameters>,
) -> Result<Json<EndpointView>, ApiError> {
    Ok(Json(asked.find(&state.db).await?.into()))
}

/// Change an endpoint.
///
/// Messages that are not sent yet go to the new URL. Its secret is changed by `rotate`, its state by `pause` and
/// `resume`.
#[utoipa::path(
    patch, path = "/v1/endpoints/{id}", operation_id = "updateEndpoint", tag = "notifications",
    params(("id" = Uuid, Path)),
    request_body = UpdateEndpoint,
    responses((status = OK, body = EndpointView), Problems<{ OF_ENDPOINT | OF_BODY }>),
    security(("key" = ["notify:write"])),
)]
async fn update(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    _query: ApiQuery<NoParameters>,
    body: ApiJson,
) -> Result<Json<EndpointView>, ApiError> {
    let guard = state.sender.guard();
    let draft = Draft::read(&body.value, body::UPDATE, &[], guard, &asked.caller).await?;
    let Draft { url, events, include, description, .. } = draft;
    let change = EndpointChange { url, events, include, description };
    let applied =
        endpoints::update(&state.db, &state.seal, asked.caller.id, asked.id, &change).await?;
    Ok(Json(asked.changed(applied, &state.db).await?.into()))
}

/// Delete an endpoint.
///
/// Its URL and secrets are deleted; messages that were not delivered yet are no longer sent.
#[utoipa::path(
    delete, path = "/v1/endpoints/{id}", operation_id = "deleteEndpoint", tag = "notifications",
    params(("id" = Uuid, Path)),
    responses((status = NO_CONTENT), Problems<OF_ENDPOINT>),
    security(("key" = ["notify:write"])),
)]
async fn delete(
    State(state): State<ApiState>,
    asked: OwnedEndpoint,
    _query: ApiQuery<NoParameters>,
) -> Result<StatusCode, ApiError> {
    if endpoints::delete(&state.db, asked.caller.id, asked.id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::EndpointNotFound(asked.id))
    }
}
