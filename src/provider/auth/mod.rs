//! Access tokens by JWT-bearer grant: credentials in, a valid token out.
//!
//! Source: RingCentral's guide "JWT auth flow" and the token endpoint of its OpenAPI document.
mod cache;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{answer, call_span, wire};
use crate::{
    http,
    metrics::{Metrics, Operation},
};
use cache::{Cache, Grant};

pub(super) use cache::AccessToken;

const BODY_LIMIT: usize = 1 << 20;
/// Used when the response has no `expires_in`: shorter than any lifetime the provider grants.
const UNSTATED_LIFETIME: Duration = Duration::from_mins(5);
const LONGEST_LIFETIME: Duration = Duration::from_hours(24);

/// The app's id and secret, and the JWT credential of its user.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub client_id: String,
    pub client_secret: SecretString,
    pub jwt: SecretString,
}

/// Why there is no access token. Cloned to every caller that waited for the same request.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Wrong or revoked credentials; `code` is the OAuth error, such as `invalid_client (OAU-153)`.
    #[error("the token endpoint rejected Aftercall's credentials: {code}")]
    Refused { code: String },
    /// A 429, or a call before the requested wait is over (in which case nothing was sent).
    #[error("the token endpoint's rate limit is exceeded")]
    Throttled { retry_after: Option<Duration> },
    #[error("the token endpoint responded with {status}")]
    Broken { status: StatusCode, retry_after: Option<Duration> },
    #[error("cannot reach the token endpoint")]
    Unreachable(#[source] Arc<reqwest::Error>),
    #[error("the token endpoint's response has no usable token")]
    Unreadable,
    #[error("timed out waiting for a token")]
    TimedOut,
}

impl TokenError {
    /// The wait requested by the token endpoint.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Broken { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Source of access tokens for one app and user.
pub(super) struct AccessTokens {
    http: reqwest::Client,
    url: url::Url,
    timeout: Duration,
    credentials: RwLock<Credentials>,
    cache: Cache,
}

impl AccessTokens {
    pub fn new(
        http: reqwest::Client,
        url: url::Url,
        timeout: Duration,
        credentials: Credentials,
    ) -> Self {
        let credentials = RwLock::new(credentials);
        Self { http, url, timeout, credentials, cache: Cache::default() }
    }

    /// From now on, tokens are fetched with these credentials. Calls in progress keep the token they have.
    pub async fn replace_credentials(&self, credentials: Credentials) {
        *self.credentials.write().unwrap_or_else(PoisonError::into_inner) = credentials;
        // Afterwards, so that a fetch in progress cannot store a token of the old ones.
        self.cache.forget().await;
    }

    /// A token that should be valid now; fetches one only when the cached token is about to expire.
    pub async fn current(&self, metrics: &Metrics) -> Result<AccessToken, TokenError> {
        self.cache.current(self.fetch(metrics)).await
    }

    /// Discards `token` because the provider rejected it; a newer one is kept.
    pub async fn invalidate(&self, token: &AccessToken) {
        self.cache.invalidate(token).await;
    }

    async fn fetch(&self, metrics: &Metrics) -> Result<Grant, TokenError> {
        let began = Instant::now();
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner).clone();
        let form =
            [("grant_type", wire::GRANT_TYPE), ("assertion", credentials.jwt.expose_secret())];
        let unreachable =
            |error: reqwest::Error| TokenError::Unreachable(Arc::new(error.without_url()));
        let request = self
            .http
            .post(self.url.clone())
            .basic_auth(&credentials.client_id, Some(credentials.client_secret.expose_secret()))
            .header(reqwest::header::ACCEPT, "application/json")
            .timeout(self.timeout)
            .form(&form);
        let response = call_span::send(request, Operation::Token.name(), 0).await;
        let host = self.url.host_str().unwrap_or_default();
        let answered = response.as_ref().ok().map(|response| response.status().as_u16());
        metrics.called(host, Operation::Token, answered, began.elapsed());
        let response = response.map_err(unreachable)?;
        let status = response.status();
        let retry_after = http::retry_after(response.headers());
        let body = match answer::body(response, BODY_LIMIT).await {
            Ok(body) => serde_json::from_slice(&body).unwrap_or_default(),
            Err(answer::BodyError::Lost(error)) if status.is_success() => {
                return Err(unreachable(error));
            }
            Err(_) => Value::Null,
        };
        match status {
            StatusCode::OK => {
                let grant = grant(&body).ok_or(TokenError::Unreadable)?;
                metrics.token_expires_in(grant.lifetime.saturating_sub(began.elapsed()));
                Ok(grant)
            }
            StatusCode::TOO_MANY_REQUESTS => Err(TokenError::Throttled { retry_after }),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(TokenError::Refused { code: oauth_code(&body, status) })
            }
            status => Err(TokenError::Broken { status, retry_after }),
        }
    }
}

/// Reads only the two members we need: published samples lack others that the OpenAPI document
/// requires.
fn grant(body: &Value) -> Option<Grant> {
    let token = body.get("access_token")?.as_str()?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let lifetime = match body.get("expires_in") {
        Some(Value::String(secs)) => secs.parse().ok(),
        other => other.and_then(Value::as_f64),
    };
    let lifetime = lifetime
        .map_or(UNSTATED_LIFETIME, |secs| Duration::try_from_secs_f64(secs).unwrap_or_default())
        .min(LONGEST_LIFETIME);
    Some(Grant { token: token.into(), lifetime })
}

/// The OAuth error code and the provider's own code, without text that could quote a credential.
fn oauth_code(body: &Value, status: StatusCode) -> String {
    let code = |value: Option<&Value>| -> Option<String> {
        let text = value?.as_str()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (!text.is_empty() && text.len() <= 40 && text.bytes().all(plain)).then(|| text.into())
    };
    let own = code(body.pointer("/errors/0/errorCode"));
    match (code(body.get("error")).or_else(|| code(body.get("errorCode"))), own) {
        (Some(oauth), Some(own)) => format!("{oauth} ({own})"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => format!("status {}", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_needs_no_more_than_the_token() {
        let read = |body: Value| grant(&body).map(|grant| grant.lifetime);
        assert_eq!(read(json!({ "access_token": "t" })), Some(UNSTATED_LIFETIME));
        let stated = json!({ "access_token": "t", "expires_in": 7199 });
        assert_eq!(read(stated), Some(Duration::from_secs(7199)));
        assert_eq!(read(json!({ "access_token": "t", "expires_in": -5 })), Some(Duration::ZERO));
        assert_eq!(read(json!({ "access_token": "line\nbreak" })), None);
        assert_eq!(read(json!({ "expires_in": 60 })), None);
    }

    #[test]
    fn a_refusal_is_told_by_codes_only() {
        let body = json!({
            "error": "invalid_client",
            "error_description": "secret hunter2 is wrong",
            "errors": [{ "errorCode": "OAU-153" }],
        });
        assert_eq!(oauth_code(&body, StatusCode::BAD_REQUEST), "invalid_client (OAU-153)");
        let prose = json!({ "error": "the secret was hunter2" });
        assert_eq!(oauth_code(&prose, StatusCode::UNAUTHORIZED), "status 401");
    }
}
