//! The session as its browser sees it.
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum as _;
use serde::Serialize;

use super::{ConsoleState, sign_in::only_member};
use crate::{
    api::{ApiError, RequestPermit, SignedIn, session},
    callers::{self, Scope},
    http,
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    /// Whose data is shown.
    caller: String,
    own_caller: String,
    key_name: String,
    scopes: Vec<&'static str>,
    expires_at: String,
    read_only: bool,
    environment: String,
    version: &'static str,
    /// Everyone whose data may be shown; only with `admin:read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    callers: Option<Vec<String>>,
}

/// Who is signed in.
pub async fn show(
    State(state): State<ConsoleState>,
    permit: RequestPermit,
    parts: Parts,
) -> Result<Response, ApiError> {
    let signed_in = of_request(&state, &permit, &parts).await?;
    Ok(view(&state, &signed_in).await?.into_response())
}

/// Looks at another caller's data from now on; the session does not last longer because of it.
pub async fn look_at(
    State(state): State<ConsoleState>,
    permit: RequestPermit,
    parts: Parts,
    body: Body,
) -> Result<Response, ApiError> {
    session::check_header(&parts.headers)?;
    let signed_in = of_request(&state, &permit, &parts).await?;
    let caller = only_member("caller", &parts.headers, body).await?;
    let signed_in = signed_in.look_at(&state.api, &caller).await?;
    begun(&state, &signed_in).await
}

/// Signs out. The browser forgets the cookie; to end a session wherever it is, revoke its key.
pub async fn end(
    State(state): State<ConsoleState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    session::check_header(&headers)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(&state, "", 0)?);
    Ok(response)
}

/// The session, and the cookie for it.
pub async fn begun(state: &ConsoleState, signed_in: &SignedIn) -> Result<Response, ApiError> {
    let mut response = view(state, signed_in).await?.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie_of(state, signed_in)?);
    Ok(response)
}

pub fn cookie_of(state: &ConsoleState, signed_in: &SignedIn) -> Result<HeaderValue, ApiError> {
    let seconds = (signed_in.ends_at - signed_in.key.seen_at).num_seconds();
    cookie(state, &signed_in.session.seal(&state.api.seal), seconds)
}

fn cookie(state: &ConsoleState, value: &str, seconds: i64) -> Result<HeaderValue, ApiError> {
    let secure = if state.terms.only_https { "; Secure" } else { "" };
    let name = session::COOKIE;
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The session of a request, charged to its key; a cookie that is not valid, to its address.
async fn of_request(
    state: &ConsoleState,
    permit: &RequestPermit,
    parts: &Parts,
) -> Result<SignedIn, ApiError> {
    let Some(cookie) = session::cookie(&parts.headers) else { return Err(ApiError::Unauthorized) };
    let address = http::address(&parts.extensions);
    let turn = permit.rates().lookup(address).await;
    let found = SignedIn::look_up(&state.api, cookie).await?;
    drop(turn);
    let Some(signed_in) = found else {
        permit.belongs_to_no_one(address)?;
        return Err(ApiError::SessionEnded);
    };
    signed_in.caller.record();
    permit.belongs_to(&signed_in.caller)?;
    Ok(signed_in)
}

async fn view(state: &ConsoleState, signed_in: &SignedIn) -> Result<impl IntoResponse, ApiError> {
    let SignedIn { key, caller, ends_at, .. } = signed_in;
    let may = |scope: &Scope| key.caller.scopes.contain(*scope);
    let callers = if may(&Scope::AdminRead) {
        let all = callers::all(&state.api.db, None, None).await?;
        let mut names: Vec<_> = all.into_iter().map(|caller| caller.name).collect();
        names.sort_unstable();
        Some(names)
    } else {
        None
    };
    let scopes = Scope::value_variants().iter().filter(|scope| may(scope));
    let view = SessionView {
        caller: caller.name.clone(),
        own_caller: key.caller.name.clone(),
        key_name: key.name.clone(),
        scopes: scopes.map(|scope| scope.name()).collect(),
        expires_at: shown(*ends_at),
        read_only: state.terms.read_only,
        environment: state.environment.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        callers,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)))
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
