//! Signing in: with an API key, or with a one-time link.
use std::time::Duration;

use axum::{
    body::{self, Body},
    extract::State,
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use clap::ValueEnum as _;
use serde_json::Value;
use url::form_urlencoded;

use super::{ConsoleState, Link, assets, session};
use crate::{
    api::{ApiError, RequestPermit, SignedIn},
    callers::{self, KeyFilter, KeyTerms, Scope},
    http::{self, Fault},
};

/// No key is longer, nor any caller's name.
const MAX_BODY: usize = 4096;
/// The key behind a link lives no longer, whatever `console.session` says.
const LONGEST_KEY: Duration = Duration::from_hours(24);
/// What the key behind a link is called.
const KEY_NAME: &str = "one-time link to the console";
/// Whose key it is while there are no others.
const FIRST_CALLER: &str = "dev";

/// Begins a session with an API key.
pub async fn by_key(
    State(state): State<ConsoleState>,
    permit: RequestPermit,
    parts: Parts,
    body: Body,
) -> Result<Response, ApiError> {
    let key = only_member("key", &parts.headers, body).await?;
    let address = http::address(&parts.extensions);
    let turn = permit.rates().lookup(address).await;
    let begun = SignedIn::begin(&state.api, key.trim().into()).await?;
    drop(turn);
    let Some(signed_in) = begun else {
        permit.belongs_to_no_one(address)?;
        return Err(ApiError::UnknownKey);
    };
    signed_in.caller.record();
    permit.belongs_to(&signed_in.caller)?;
    session::begun(&state, &signed_in).await
}

/// The page for signing in. With a code that is valid, begins a session instead; where the page is shown although there
/// is a code, it was not.
pub async fn by_link(
    State(state): State<ConsoleState>,
    permit: RequestPermit,
    parts: Parts,
) -> Result<Response, ApiError> {
    // Programs that only look at a link must not use it up.
    let code = code(&parts).filter(|_| parts.method == Method::GET);
    let Some(code) = code else { return Ok(assets::page(parts.headers).await) };
    let Some(link) = state.links.redeem(&code) else {
        permit.belongs_to_no_one(http::address(&parts.extensions))?;
        return Ok(assets::page(parts.headers).await);
    };
    let signed_in = with_key_of_its_own(&state, &link).await?;
    let mut response = Redirect::to(&link.page).into_response();
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, session::cookie_of(&state, &signed_in)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn code(parts: &Parts) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
}

/// The key is made only now: a link that nobody uses leaves none behind.
async fn with_key_of_its_own(state: &ConsoleState, link: &Link) -> Result<SignedIn, ApiError> {
    let db = &state.api.db;
    let caller = if let Some(caller) = &link.caller {
        caller.clone()
    } else {
        let newest = callers::keys(db, &KeyFilter::default(), None, 1).await?.pop();
        newest.map_or_else(|| FIRST_CALLER.to_owned(), |key| key.caller)
    };
    let lifetime = Some(state.terms.lifetime.min(LONGEST_KEY));
    let terms = KeyTerms { lifetime, scopes: Scope::value_variants(), rate: None };
    let key = callers::create(db, &caller, KEY_NAME, terms).await?;
    let begun = SignedIn::begin(&state.api, key.text).await?;
    begun.ok_or_else(|| ApiError::Internal("a key that was just made is not valid".into()))
}

/// The only member of a small JSON body. It is read before anyone is known, so it takes no part of the memory for other
/// bodies.
///
/// # Errors
/// `not-json`, `malformed-body`, and `validation-failed` for any other body.
pub async fn only_member(name: &str, headers: &HeaderMap, body: Body) -> Result<String, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE);
    // Pages of other origins cannot send this type without asking first, and are refused.
    if !kind.and_then(|value| value.to_str().ok()).is_some_and(http::is_json) {
        return Err(ApiError::NotJson);
    }
    let invalid = |code, detail| ApiError::ValidationFailed(Fault::at("#", code, detail).into());
    let bytes = body::to_bytes(body, MAX_BODY).await.map_err(|_| {
        invalid("length", format!("must be complete, and at most {MAX_BODY} bytes long"))
    })?;
    let value = serde_json::from_slice(&bytes);
    let mut value: Value = value.map_err(|error| ApiError::MalformedBody(error.to_string()))?;
    let members = value.as_object_mut().filter(|members| members.len() == 1);
    match members.and_then(|members| members.remove(name)) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(invalid("format", format!("must be {{\"{name}\": \"…\"}}"))),
    }
}
