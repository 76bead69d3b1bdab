//! The caller of a request: the extractor of every `/v1` handler.
use std::time::Instant;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{Activity, ApiError, ApiState, RequestPermit, SignedIn, session};
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
        let credential = Credential::of(parts, state);
        let caller = match credential {
            Some(credential) => authenticated(credential, state, &permit, parts).await?,
            None => None,
        };
        let Some(caller) = caller else {
            permit.belongs_to_no_one(address)?;
            let is_session = matches!(credential, Some(Credential::Session(_)));
            return Err(if is_session { ApiError::SessionEnded } else { ApiError::Unauthorized });
        };
        caller.record();
        permit.belongs_to(&caller)?;
        permit.count_as(Activity::Request, caller.id)?;
        if let (Some(Credential::Session(_)), Some(terms)) = (credential, state.sessions) {
            terms.check(&parts.method, &parts.headers, &caller)?;
        }
        permit.check_scopes(&caller)?;
        Ok(caller)
    }
}

/// What a request shows to say whose it is.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    Key(&'a str),
    /// The console's cookie.
    Session(&'a str),
}

impl<'a> Credential<'a> {
    /// `Authorization` takes precedence: the documentation's requests come from the console's origin, with its cookie.
    pub(super) fn of(parts: &'a Parts, state: &ApiState) -> Option<Self> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return bearer(parts).map(Self::Key);
        }
        state.sessions.and_then(|_| session::cookie(&parts.headers)).map(Self::Session)
    }

    fn text(self) -> &'a str {
        match self {
            Self::Key(text) | Self::Session(text) => text,
        }
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The caller that holds the key or the session, if that is valid.
async fn authenticated(
    credential: Credential<'_>,
    state: &ApiState,
    permit: &RequestPermit,
    parts: &Parts,
) -> Result<Option<Caller>, ApiError> {
    let text = credential.text();
    if let Some(caller) = state.known_keys.recall(text) {
        return Ok(Some(caller));
    }
    let _turn = permit.rates().lookup(http::address(&parts.extensions)).await;
    // It may have been found while this request waited for its turn.
    if let Some(caller) = state.known_keys.recall(text) {
        return Ok(Some(caller));
    }
    let asked = Instant::now();
    let caller = match credential {
        Credential::Key(key) => callers::authenticate(&state.db, key).await?.map(|key| key.caller),
        Credential::Session(cookie) => SignedIn::look_up(state, cookie).await?.map(|it| it.caller),
    };
    if let Some(caller) = &caller {
        state.known_keys.remember(text, caller, asked);
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

    /// Names it in the log.
    pub fn record(&self) {
        let span = tracing::Span::current();
        span.record("caller", self.key_owner());
        if self.operator.is_some() {
            span.record("looked_at", &self.name);
        }
    }
}
