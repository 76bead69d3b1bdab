//! Who is calling: the extractor of every `/v1` handler.
use std::time::Instant;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use uuid::Uuid;

use super::{KnownCallers, Scope};
use crate::http::{ApiError, ApiState, Kind, Turn};

/// The internal app behind a request; its id scopes every row that is read or written for it.
#[derive(Debug, Clone)]
pub struct Caller {
    pub id: Uuid,
    pub name: String,
    pub key_id: String,
    /// What this key may do beyond the caller's own jobs; see [`Caller::require`].
    pub scopes: Vec<Scope>,
}

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
        let known = parts.extensions.get::<KnownCallers>();
        let caller = if let Some(caller) = known.and_then(|known| known.recall(key)) {
            caller
        } else {
            let asked = Instant::now();
            let caller =
                super::authenticate(&state.db, key).await?.ok_or(ApiError::Unauthorized)?;
            if let Some(known) = known {
                known.remember(key, &caller, asked);
            }
            caller
        };
        tracing::Span::current().record("caller", &caller.name);
        if let Some(turn) = parts.extensions.get::<Turn>() {
            turn.take(Kind::Request, caller.id)?;
        }
        Ok(caller)
    }
}
