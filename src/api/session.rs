//! Sessions of the console: in place of `Authorization`, a browser sends a cookie with the key and the time of signing
//! in, sealed.
//!
//! Nothing is stored about a session. What its key may do, and whether it is still valid, is looked up at each request,
//! in any replica.
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{ApiError, ApiState};
use crate::{
    callers::{self, Caller, Scope, Scopes, ValidKey},
    seal::{Place, Seal},
};

/// The name of the cookie.
pub const COOKIE: &str = "aftercall_session";
/// Sent by the console with every change. Pages of other origins cannot send it, whatever cookies their requests carry.
pub const HEADER: HeaderName = HeaderName::from_static("aftercall-console");

/// No row has it, so it opens nothing that is stored, and nothing that is stored opens as a session.
const PLACE: Place = Place { table: "console session", row: Uuid::nil() };

/// How sessions are limited, in this process.
#[derive(Debug, Clone, Copy)]
pub struct SessionTerms {
    pub lifetime: Duration,
    /// Sessions change nothing, whatever their keys may do.
    pub read_only: bool,
    /// Whether browsers send the cookie only over https.
    pub only_https: bool,
}

/// What the cookie contains.
#[derive(Debug)]
pub struct Session {
    pub key: SecretString,
    /// When it was made, by the database's clock.
    pub since: DateTime<Utc>,
    /// The caller whose data is shown; `None`: the key's own.
    pub looks_at: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    key: &'a str,
    since: DateTime<Utc>,
    looks_at: Option<String>,
}

/// A session that is valid now.
#[derive(Debug)]
pub struct SignedIn {
    pub session: Session,
    pub key: ValidKey,
    /// For whom its requests are: the key's own caller, or the one it looks at.
    pub caller: Caller,
    pub ends_at: DateTime<Utc>,
}

impl Session {
    /// The cookie's value.
    pub fn seal(&self, seal: &Seal) -> String {
        let Self { key, since, looks_at } = self;
        let content =
            Content { key: key.expose_secret(), since: *since, looks_at: looks_at.clone() };
        // Neither text nor time can fail.
        let content = Zeroizing::new(serde_json::to_vec(&content).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(seal.seal(PLACE, &content))
    }

    /// `None` if it was not sealed as a session, or with a key that is no longer in use.
    pub fn open(seal: &Seal, cookie: &str) -> Option<Self> {
        let content = seal.open(PLACE, &URL_SAFE_NO_PAD.decode(cookie).ok()?).ok()?;
        let Content { key, since, looks_at } = serde_json::from_slice(&content).ok()?;
        Some(Self { key: key.into(), since, looks_at })
    }
}

/// The value of the cookie, if the request has one.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

impl SignedIn {
    /// A new session with this key; `None` if the key is not valid.
    pub async fn begin(state: &ApiState, key: SecretString) -> sqlx::Result<Option<Self>> {
        let Some(valid) = callers::authenticate(&state.db, key.expose_secret()).await? else {
            return Ok(None);
        };
        let session = Session { key, since: valid.seen_at, looks_at: None };
        Self::with(state, session, valid).await
    }

    /// The session of a cookie; `None` if it is not valid.
    pub async fn look_up(state: &ApiState, cookie: &str) -> sqlx::Result<Option<Self>> {
        let Some(session) = Session::open(&state.seal, cookie) else { return Ok(None) };
        let key = callers::authenticate(&state.db, session.key.expose_secret()).await?;
        match key {
            Some(key) => Self::with(state, session, key).await,
            None => Ok(None),
        }
    }

    async fn with(state: &ApiState, session: Session, key: ValidKey) -> sqlx::Result<Option<Self>> {
        let Some(terms) = &state.sessions else { return Ok(None) };
        let longest = session.since + terms.lifetime;
        let ends_at = key.expires_at.map_or(longest, |expires_at| expires_at.min(longest));
        if ends_at <= key.seen_at {
            return Ok(None);
        }
        let caller = match &session.looks_at {
            None => Some(key.caller.clone()),
            Some(name) => looked_at(state, &key.caller, name).await?,
        };
        Ok(caller.map(|caller| Self { session, key, caller, ends_at }))
    }

    /// The same session, looking at the caller of this name.
    ///
    /// # Errors
    /// `missing-scope` without `admin:read`, and `caller-not-found`.
    pub async fn look_at(mut self, state: &ApiState, name: &str) -> Result<Self, ApiError> {
        let own = &self.key.caller;
        own.require(Scopes::from_iter([Scope::AdminRead]))?;
        if name == own.name {
            (self.session.looks_at, self.caller) = (None, own.clone());
        } else {
            let caller = looked_at(state, own, name).await?;
            self.caller = caller.ok_or(ApiError::CallerNotFound)?;
            self.session.looks_at = Some(name.to_owned());
        }
        Ok(self)
    }
}

/// The operator, as they act for the caller of this name; `None` if they may not, or if there is no such caller.
async fn looked_at(state: &ApiState, own: &Caller, name: &str) -> sqlx::Result<Option<Caller>> {
    if !own.scopes.contain(Scope::AdminRead) {
        return Ok(None);
    }
    let found = callers::find(&state.db, name).await?;
    Ok(found.map(|found| Caller {
        id: found.id,
        name: found.name,
        operator: Some(own.name.clone()),
        ..own.clone()
    }))
}

impl SessionTerms {
    /// Whether a session may make this request, as far as scopes do not say.
    ///
    /// # Errors
    /// For changes: `console-header-missing`, `read-only`, and `missing-scope` without `admin:write` if they are to
    /// another caller's data.
    pub(super) fn check(
        self,
        method: &Method,
        headers: &HeaderMap,
        caller: &Caller,
    ) -> Result<(), ApiError> {
        if matches!(*method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        check_header(headers)?;
        if self.read_only {
            return Err(ApiError::ReadOnly);
        }
        match caller.operator {
            Some(_) => caller.require(Scopes::from_iter([Scope::AdminWrite])),
            None => Ok(()),
        }
    }
}

/// # Errors
/// `console-header-missing` if the request may come from another origin.
pub fn check_header(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.get(&HEADER).is_some_and(|value| value == "1") {
        Ok(())
    } else {
        Err(ApiError::ConsoleHeaderMissing)
    }
}
