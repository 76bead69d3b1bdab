//! Token and revoke endpoints, and the check of bearer tokens.
//!
//! Source: `RingCentral` guide, "JWT auth flow", "Refresh token flow" and "Token revocation"; error
//! codes from its published samples and from captures.
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret as _;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;
use uuid::Uuid;

use super::{Emulator, refusal::Refusal};
use crate::{config::SandboxSettings, provider::wire};

/// Lifetime of a refresh token.
const REFRESH: Duration = Duration::from_hours(7 * 24);
/// How many ended sessions to remember, to tell a token that has ended from one that never existed.
const ENDED: usize = 200;

#[derive(Debug, Default)]
pub struct Sessions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Oldest first.
    live: VecDeque<Session>,
    ended: VecDeque<String>,
}

#[derive(Debug)]
struct Session {
    access: String,
    access_until: Instant,
    refresh: Option<String>,
    refresh_until: Instant,
}

impl Known {
    fn end(&mut self, is_meant: impl Fn(&Session) -> bool) {
        let ended = self.live.iter().filter(|session| is_meant(session));
        let tokens: Vec<String> = ended.map(|session| session.access.clone()).collect();
        self.live.retain(|session| !is_meant(session));
        self.ended.extend(tokens);
        let surplus = self.ended.len().saturating_sub(ENDED);
        self.ended.drain(..surplus);
    }
}

impl Sessions {
    /// Ends the session of the access token in `headers`, as the fault `unauthorized` does.
    pub fn end_of(&self, headers: &HeaderMap) -> Refusal {
        if let Some(token) = bearer(headers) {
            self.known().end(|session| session.access == token);
        }
        ended()
    }

    /// Whether the request may call the analytics endpoints.
    pub fn check(&self, headers: &HeaderMap, settings: &SandboxSettings) -> Result<(), Refusal> {
        let refuse = |code, message| Refusal::platform(StatusCode::UNAUTHORIZED, code, message);
        if !headers.contains_key(header::AUTHORIZATION) {
            return Err(refuse("AGW-401", "Authorization header is not specified"));
        }
        let Some(token) = bearer(headers) else {
            return Err(refuse("AGW-402", "Invalid Authorization header"));
        };
        let known = self.known();
        match known.live.iter().find(|session| session.access == token) {
            Some(session) if session.access_until > Instant::now() => {}
            Some(_) => return Err(refuse("OAU-128", "Access token expired")),
            None if known.ended.contains(&token) => return Err(ended()),
            None => {
                let (status, message) = (StatusCode::UNAUTHORIZED, "Access token corrupted");
                return Err(Refusal::nested(status, "TokenInvalid", "OAU-149", message));
            }
        }
        if settings.scope.split_whitespace().any(|permission| permission == "AI") {
            return Ok(());
        }
        let message =
            "In order to call this API endpoint, application needs to have [AI] permission";
        Err(Refusal::platform(StatusCode::FORBIDDEN, "CMN-401", message))
    }

    /// Opens a session and returns the body of the token response.
    fn open(&self, settings: &SandboxSettings, lifetime: Duration) -> serde_json::Value {
        let now = Instant::now();
        let refresh = settings.refresh_tokens.then(token);
        let access = token();
        let mut body = json!({
            "access_token": access,
            "token_type": "bearer",
            "expires_in": lifetime.as_secs(),
            "scope": settings.scope,
            "owner_id": "400000000001",
            "endpoint_id": Uuid::new_v4(),
        });
        if let Some(refresh) = &refresh {
            body["refresh_token"] = json!(refresh);
            body["refresh_token_expires_in"] = json!(REFRESH.as_secs());
        }
        let mut known = self.known();
        known.live.push_back(Session {
            access,
            access_until: now + lifetime,
            refresh,
            refresh_until: now + REFRESH,
        });
        while known.live.len() > settings.max_sessions {
            let oldest = known.live.front().map(|session| session.access.clone());
            known.end(|session| Some(&session.access) == oldest.as_ref());
        }
        body
    }

    /// Whether `token` is a valid refresh token; redeeming it ends its session, since it works only
    /// once.
    fn redeem(&self, token: &str) -> bool {
        let now = Instant::now();
        let mut known = self.known();
        let is_meant = |s: &Session| s.refresh.as_deref() == Some(token) && s.refresh_until > now;
        let found = known.live.iter().any(is_meant);
        known.end(is_meant);
        found
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /restapi/oauth/token`
pub async fn token_endpoint(
    State(emulator): State<Arc<Emulator>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    emulator
        .in_auth_group(|| grant(&emulator, &headers, &body).map(|body| Json(body).into_response()))
}

/// `POST /restapi/oauth/revoke`
pub async fn revoke_endpoint(
    State(emulator): State<Arc<Emulator>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    emulator.in_auth_group(|| {
        let form = form(&headers, &body)?;
        authenticate(&emulator.settings, &headers)?;
        if let Some(token) = form.get("token") {
            emulator
                .sessions
                .known()
                .end(|session| session.access == *token || session.refresh.as_ref() == Some(token));
        }
        Ok(StatusCode::OK.into_response())
    })
}

fn grant(
    emulator: &Emulator,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<serde_json::Value, Refusal> {
    let settings = &emulator.settings;
    let form = form(headers, body)?;
    authenticate(settings, headers)?;
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let lifetime = lifetime(settings, form.get("access_token_ttl").map(String::as_str))?;
    match field("grant_type") {
        wire::GRANT_TYPE => {
            if !is_same(field("assertion"), settings.jwt.expose_secret()) {
                let code = &settings.jwt_error_code;
                return Err(Refusal::oauth(
                    "invalid_grant",
                    code,
                    "The JWT credential is not valid",
                ));
            }
        }
        "refresh_token" => {
            if !emulator.sessions.redeem(field("refresh_token")) {
                return Err(Refusal::oauth("invalid_grant", "OAU-210", "Token is expired"));
            }
        }
        "password" | "authorization_code" | "client_credentials" => {
            let message = "Unauthorized for this grant type";
            return Err(Refusal::oauth("unauthorized_client", "OAU-251", message));
        }
        _ => return Err(Refusal::oauth("invalid_request", "OAU-250", "Unsupported grant type")),
    }
    Ok(emulator.sessions.open(settings, lifetime))
}

/// The requested lifetime, 600 to 3600 seconds, capped by the setting.
fn lifetime(settings: &SandboxSettings, asked: Option<&str>) -> Result<Duration, Refusal> {
    let Some(asked) = asked else { return Ok(settings.token_lifetime) };
    match asked.parse() {
        Ok(seconds) if (600..=3600).contains(&seconds) => {
            Ok(Duration::from_secs(seconds).min(settings.token_lifetime))
        }
        _ => Err(Refusal::oauth("invalid_request", "OAU-250", "Invalid access_token_ttl")),
    }
}

fn authenticate(settings: &SandboxSettings, headers: &HeaderMap) -> Result<(), Refusal> {
    let basic = credential(headers, "Basic ")
        .and_then(|text| BASE64_STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let expected = format!("{}:{}", settings.client_id, settings.client_secret.expose_secret());
    if is_same(basic.as_deref().unwrap_or_default(), &expected) {
        return Ok(());
    }
    Err(Refusal::oauth("invalid_client", "OAU-153", "Invalid client credentials"))
}

fn form(headers: &HeaderMap, body: &[u8]) -> Result<HashMap<String, String>, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal::platform(status, "CMN-104", "Unsupported media type"));
    }
    Ok(form_urlencoded::parse(body).into_owned().collect())
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let token = credential(headers, "Bearer ")?;
    (!token.is_empty()).then(|| token.to_owned())
}

fn credential<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let is_meant = value.get(..scheme.len())?.eq_ignore_ascii_case(scheme);
    is_meant.then(|| value[scheme.len()..].trim())
}

fn ended() -> Refusal {
    Refusal::nested(StatusCode::UNAUTHORIZED, "TokenInvalid", "OAU-213", "Token not found")
}

fn token() -> String {
    format!("sandbox-{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

fn is_same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}
