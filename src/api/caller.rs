//! The caller of a request: the extractor of every `/v1` handler.
use std::time::Instant;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{Activity, ApiError, ApiState, RequestPermit};
use crate::callers::{self, Caller, Scope};

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let key = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim())
            .ok_or(ApiError::Unauthorized)?;
        let caller = if let Some(caller) = state.known_keys.recall(key) {
            caller
        } else {
            let asked = Instant::now();
            let caller =
                callers::authenticate(&state.db, key).await?.ok_or(ApiError::Unauthorized)?;
            state.known_keys.remember(key, &caller, asked);
            caller
        };
        tracing::Span::current().record("caller", &caller.name);
        if let Some(permit) = parts.extensions.get::<RequestPermit>() {
            permit.belongs_to(&caller);
            permit.count_as(Activity::Request, caller.id)?;
        }
        Ok(caller)
    }
}

impl Caller {
    /// # Errors
    /// `missing-scope` (403) if the key lacks it.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scopes.contain(scope) { Ok(()) } else { Err(ApiError::MissingScope(scope.name())) }
    }
}
