//! Errors between us and the provider, grouped by what the caller must do about them.
//!
//! No error contains a URL, a token or a credential: a webhook URL is itself a secret.
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use serde::Serialize;

use super::answer::RateHeaders;
use super::auth::TokenError;
use super::secrets::Secrets;
use super::unreadable::Unreadable;
use crate::json::{Members, Tree};

/// Maximum number of errors kept per response, and of characters per text.
const MOST_ERRORS: usize = 50;
const MOST_CHARS: usize = 1000;
/// Maximum number of characters searched for secrets, more than are kept: cutting before redacting could leave half of
/// a secret.
const MOST_READ: usize = 8 * MOST_CHARS;

/// One error as the provider reports it. Branch on `code`, never on `message`, and show neither before
/// [`ProviderError::without`] has redacted them.
///
/// Source: RingCentral's OpenAPI document, `CaiErrorResponse`, and its guide on platform errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderError {
    /// Such as `CAI-101` or `CMN-401`; `unknown` when the response has none.
    pub code: String,
    pub message: String,
    /// The request parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

impl ProviderError {
    /// Reads both formats: `{errors: […]}` of the analytics endpoints, and the platform's, which repeats a code at the
    /// top level. The inner list is more specific and takes precedence.
    pub(super) fn list(body: &Tree<'_>) -> Vec<Self> {
        let Some(top) = body.as_object() else { return Vec::new() };
        let inner: Vec<Self> = top
            .get("errors")
            .and_then(Tree::as_array)
            .into_iter()
            .flatten()
            .filter_map(Tree::as_object)
            .take(MOST_ERRORS)
            .map(Self::read)
            .collect();
        if inner.is_empty() && (top.get("errorCode").is_some() || top.get("message").is_some()) {
            return vec![Self::read(top)];
        }
        inner
    }

    pub(super) fn list_from_bytes(body: &[u8]) -> Vec<Self> {
        serde_json::from_slice(body).map_or_else(|_| Vec::new(), |body| Self::list(&body))
    }

    fn read(members: &Members<'_>) -> Self {
        let text = |name: &str| members.get(name).and_then(Tree::as_str).map(read);
        let nested = || {
            let first = members.get("parameters")?.as_array()?.first()?;
            first.as_object()?.get("parameterName")?.as_str().map(read)
        };
        Self {
            code: text("errorCode")
                .filter(|code| !code.is_empty())
                .unwrap_or_else(|| "unknown".into()),
            message: text("message").unwrap_or_default(),
            parameter: text("parameterName").or_else(nested),
        }
    }

    /// Redacts quotes of our request's secrets and shortens the texts, so that they can be stored and shown.
    #[must_use]
    pub fn without(self, secrets: &Secrets) -> Self {
        let clean = |text: String| bounded(&secrets.redacted(&text));
        Self {
            code: clean(self.code),
            message: clean(self.message),
            parameter: self.parameter.map(clean),
        }
    }
}

/// The part of a text that is searched, cut at a word boundary.
fn read(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(MOST_READ) else { return text.to_owned() };
    let whole_words = text.get(..end).and_then(|text| Some(text.rsplit_once(' ')?.0));
    format!("{} …", whole_words.unwrap_or_default())
}

/// Shortened, with NUL, which Postgres cannot store, replaced.
fn bounded(text: &str) -> String {
    text.chars()
        .take(MOST_CHARS)
        .map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Only the codes: messages are free text and may quote the request.
fn codes(errors: &[ProviderError]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._- ()".contains(&byte);
    let is_code = |code: &str| code.len() <= 40 && code.bytes().all(plain);
    let codes =
        errors.iter().map(|error| if is_code(&error.code) { &error.code } else { "unknown" });
    codes.collect::<Vec<_>>().join(", ")
}

/// Why the provider did not accept a job.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// About the recording or the request parameters: the same submission will be rejected again.
    #[error("the provider rejected the job with {status} ({})", codes(errors))]
    Refused { status: StatusCode, errors: Vec<ProviderError>, rate: RateHeaders },
    /// A 429: send nothing in this rate group until `retry_after` has passed.
    #[error("the provider's rate limit is exceeded")]
    Throttled { retry_after: Option<Duration>, rate: RateHeaders },
    /// Any other 4xx, a redirect or a 501: nothing was submitted, and the response is not about the job. Every job will
    /// fail until an operator fixes the URL or whatever is in the way.
    #[error("the provider responded with {status} ({}), which is not about the job", codes(errors))]
    Misdirected { status: StatusCode, errors: Vec<ProviderError>, rate: RateHeaders },
    /// A 5xx, 408, 425, or a success that is not the provider's: retry later.
    ///
    /// The contract does not say whether a 5xx can still mean an accepted job. We assume it cannot, except for 502 and
    /// 504, which report a server that did not respond.
    #[error("the provider responded with {status}")]
    Broken {
        status: StatusCode,
        errors: Vec<ProviderError>,
        retry_after: Option<Duration>,
        rate: RateHeaders,
    },
    /// Certainly not sent: name resolution, connecting or TLS failed.
    #[error("cannot reach the provider")]
    Unreachable(#[source] reqwest::Error),
    /// The connection failed or timed out after the request may have been read: the job may be running.
    #[error("it is unknown whether the provider accepted the submission")]
    UnknownFate(#[source] reqwest::Error),
    /// Our credentials or a new token were rejected, or the app lacks a permission; nothing was submitted. `status` and
    /// `rate` are `None` when the token endpoint rejected the credentials.
    #[error("the provider rejected Aftercall's credentials ({})", codes(errors))]
    Unauthorized {
        status: Option<StatusCode>,
        errors: Vec<ProviderError>,
        rate: Option<RateHeaders>,
    },
    /// No token to submit with; nothing was submitted.
    #[error("no access token")]
    TokenUnavailable(#[source] TokenError),
}

impl SubmitError {
    /// What the response says about our budget; `None` without a response from that rate group.
    pub fn rate(&self) -> Option<RateHeaders> {
        match self {
            Self::Refused { rate, .. }
            | Self::Misdirected { rate, .. }
            | Self::Broken { rate, .. } => Some(*rate),
            Self::Throttled { rate, .. } => Some(rate.in_penalty()),
            Self::Unauthorized { rate, .. } => *rate,
            Self::Unreachable(_) | Self::UnknownFate(_) | Self::TokenUnavailable(_) => None,
        }
    }

    /// The requested wait, from either endpoint.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Broken { retry_after, .. } => *retry_after,
            Self::TokenUnavailable(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// Bytes of a response, for storage; `Debug` shows only their number.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseBytes(pub Bytes);

impl fmt::Debug for ResponseBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Why the status of a job is not known.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// A 400, or a 404 about the job: the provider does not have the job, or no longer has it.
    #[error("the provider does not know the job ({status}, {})", codes(errors))]
    UnknownJob { status: StatusCode, errors: Vec<ProviderError>, rate: RateHeaders },
    /// Any other 4xx or a redirect: asking again does not help until an operator fixes the cause.
    #[error("the provider rejected the status request with {status} ({})", codes(errors))]
    Refused { status: StatusCode, errors: Vec<ProviderError>, rate: RateHeaders },
    /// A 429: send nothing in this rate group until `retry_after` has passed.
    #[error("the provider's rate limit is exceeded")]
    Throttled { retry_after: Option<Duration>, rate: RateHeaders },
    #[error("the provider responded with {status}")]
    Broken { status: StatusCode, retry_after: Option<Duration>, rate: RateHeaders },
    /// A 200 that is not a status response; `body` contains it.
    #[error("the provider's status response cannot be parsed")]
    Unreadable { why: Unreadable, body: ResponseBytes, rate: RateHeaders },
    #[error("the provider's status response is larger than {limit} bytes")]
    TooLarge { limit: usize, rate: RateHeaders },
    /// No complete response, for whatever reason: ask again later.
    #[error("cannot reach the provider")]
    Unreachable(#[source] reqwest::Error),
    #[error("the provider rejected Aftercall's credentials ({code})")]
    Unauthorized { code: String, rate: Option<RateHeaders> },
    #[error("no access token")]
    TokenUnavailable(#[source] TokenError),
}

impl StatusError {
    /// What the response says about our budget; `None` without a response from that rate group.
    pub fn rate(&self) -> Option<RateHeaders> {
        match self {
            Self::UnknownJob { rate, .. }
            | Self::Refused { rate, .. }
            | Self::Broken { rate, .. }
            | Self::Unreadable { rate, .. }
            | Self::TooLarge { rate, .. } => Some(*rate),
            Self::Throttled { rate, .. } => Some(rate.in_penalty()),
            Self::Unauthorized { rate, .. } => *rate,
            Self::Unreachable(_) | Self::TokenUnavailable(_) => None,
        }
    }

    /// The requested wait, from either endpoint.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Broken { retry_after, .. } => *retry_after,
            Self::TokenUnavailable(error) => error.retry_after(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn list(body: &Value) -> Vec<ProviderError> {
        ProviderError::list_from_bytes(body.to_string().as_bytes())
    }

    #[test]
    fn analytics_errors_name_code_and_parameter() {
        let body = json!({ "errors": [
            { "errorCode": "CAI-104", "message": "bad", "parameterName": "encoding" },
            "not an object",
            { "message": "no code" },
        ]});
        let errors = list(&body);
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0].code, "CAI-104");
        assert_eq!(errors[0].parameter.as_deref(), Some("encoding"));
        assert_eq!(errors[1].code, "unknown");
    }

    #[test]
    fn platform_errors_prefer_the_inner_code() {
        let both = json!({ "errorCode": "TokenInvalid", "message": "outer", "errors": [
            { "errorCode": "OAU-213", "message": "inner",
              "parameters": [{ "parameterName": "access" }] },
        ]});
        let errors = list(&both);
        assert_eq!((errors.len(), errors[0].code.as_str()), (1, "OAU-213"));
        assert_eq!(errors[0].parameter.as_deref(), Some("access"));
        let outer = json!({ "errorCode": "CMN-301", "message": "slow" });
        assert_eq!(list(&outer)[0].code, "CMN-301");
        assert!(list(&json!([1])).is_empty());
    }
}
