//! Classifies error responses by cause. `docs/refusals.md` lists every status and code in a table, which a test checks.
use reqwest::StatusCode;

use super::errors::ProviderError;

/// The cause of an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalCause {
    /// The recording or the request parameters: the same request will be rejected again.
    Request,
    /// Our credentials, or the permissions of our app.
    Credentials,
    /// The URL, or something between us and the provider: the response is not about any job.
    Address,
    /// Our call rate.
    Limit,
    /// A temporary failure of the provider.
    Outage,
}

impl RefusalCause {
    /// For a submission. `has_content`: the request contained the recording.
    pub fn of_submission(status: StatusCode, errors: &[ProviderError], has_content: bool) -> Self {
        match status {
            // Nothing else in a request can be too large.
            StatusCode::PAYLOAD_TOO_LARGE if has_content => Self::Request,
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY
                if !is_about_login(errors) && errors.iter().any(is_about_request) =>
            {
                Self::Request
            }
            status => Self::of_any(status, errors),
        }
    }

    /// For a status request.
    pub fn of_any(status: StatusCode, errors: &[ProviderError]) -> Self {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Credentials,
            StatusCode::TOO_MANY_REQUESTS => Self::Limit,
            // These two ask for a retry.
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Self::Outage,
            status if status.is_client_error() && is_about_login(errors) => Self::Credentials,
            // Missing functionality will not appear within a retry interval.
            StatusCode::NOT_IMPLEMENTED => Self::Address,
            status if status.is_client_error() || status.is_redirection() => Self::Address,
            _ => Self::Outage,
        }
    }
}

/// Whether a 404 means that the job does not exist: it names an error other than that of a wrong URL. An empty body
/// counts too; some other server's page does not.
pub(super) fn is_about_job(errors: &[ProviderError], body: &[u8]) -> bool {
    let is_of_address = |error: &ProviderError| {
        error.code == "CMN-120" || error.code.starts_with("AGW-") || error.code.starts_with("OAU-")
    };
    match errors {
        [] => body.trim_ascii().is_empty(),
        errors => !errors.iter().any(is_of_address),
    }
}

/// OAuth's own codes come with parameters of the login, not of the request.
fn is_about_login(errors: &[ProviderError]) -> bool {
    errors.iter().any(|error| error.code.starts_with("OAU-"))
}

/// Names a parameter, or is of a kind that is always about the request. Our webhook URL is not part of what the caller
/// requested.
fn is_about_request(error: &ProviderError) -> bool {
    let is_of_request = error.parameter.is_some()
        || error.code.starts_with("CAI-")
        || ["CMN-101", "CMN-103", "CMN-104"].contains(&error.code.as_str());
    is_of_request && error.parameter.as_deref() != Some("webhook")
}
