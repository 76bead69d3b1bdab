//! The caller of a request: the extractor of every `/v1` handler.
use std::time::Instant;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{Activity, ApiError, ApiState, RequestPermit};
use crate::{
    callers::{self, Caller, Scopes},
    http,
};

/// A handler that takes it is for valid keys only, and only for those with the scopes that its operation declares in
/// the API document. Both are checked before the body is read.
impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let permit = RequestPermit::from_request_parts(parts, state).await?;
        let address = http::address(&parts.extensions);
        let caller = match bearer(parts) {
            Some(key) => authenticated(key, state, &permit, parts).await?,
            None => None,
        };
        let Some(caller) = caller else {
            permit.belongs_to_no_one(address)?;
            return Err(ApiError::Unauthorized);
        };
        tracing::Span::current().record("caller", &caller.name);
        permit.belongs_to(&caller)?;
        permit.count_as(Activity::Request, caller.id)?;
        permit.check_scopes(&caller)?;
        Ok(caller)
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The caller that holds the key, if it is valid.
async fn authenticated(
    key: &str,
    state: &ApiState,
    permit: &RequestPermit,
    parts: &Parts,
) -> Result<Option<Caller>, ApiError> {
    if let Some(caller) = state.known_keys.recall(key) {
        return Ok(Some(caller));
    }
    let _turn = permit.rates().lookup(http::address(&parts.extensions)).await;
    // It may have been found while this request waited for its turn.
    if let Some(caller) = state.known_keys.recall(key) {
        return Ok(Some(caller));
    }
    let asked = Instant::now();
    let caller = callers::authenticate(&state.db, key).await?;
    if let Some(caller) = &caller {
        state.known_keys.remember(key, caller, asked);
    }
    Ok(caller)
}

impl Caller {
    /// # Errors
    /// `missing-scope` (403) if the key lacks one of them.
    pub fn require(&self, needed: Scopes) -> Result<(), ApiError> {
        match self.scopes.lack(needed) {
            Some(scope) => Err(ApiError::MissingScope(scope.name())),
            None => Ok(()),
        }
    }
}
