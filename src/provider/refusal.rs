//! Whose fault an answer is that is no success. `docs/refusals.md` has every status and code as a table, and a
//! test reads it.
use reqwest::StatusCode;

use super::errors::ProviderError;

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The recording, or what was asked about it: the same request will be refused again.
    Request,
    /// Our credentials, or what our app may do.
    Credentials,
    /// The URL, or something between us and the provider: it says nothing about any job.
    Address,
    /// We call too often.
    Limit,
    /// It is out of order for now.
    Outage,
}

impl Refusal {
    /// Of a submission. `has_content`: the recording came in it.
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

    /// Of a question for a job.
    pub fn of_any(status: StatusCode, errors: &[ProviderError]) -> Self {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Credentials,
            StatusCode::TOO_MANY_REQUESTS => Self::Limit,
            // These two ask for a repetition.
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Self::Outage,
            status if status.is_client_error() && is_about_login(errors) => Self::Credentials,
            // What is not there will not be there at once either.
            StatusCode::NOT_IMPLEMENTED => Self::Address,
            status if status.is_client_error() || status.is_redirection() => Self::Address,
            _ => Self::Outage,
        }
    }
}

/// Whether a 404 says that there is no such job: it names an error, and not that of a wrong URL. Nothing at all
/// is taken for one as well, the page of somebody else is not.
pub(super) fn is_about_job(errors: &[ProviderError], body: &[u8]) -> bool {
    let is_of_address = |error: &ProviderError| {
        error.code == "CMN-120" || error.code.starts_with("AGW-") || error.code.starts_with("OAU-")
    };
    match errors {
        [] => body.trim_ascii().is_empty(),
        errors => !errors.iter().any(is_of_address),
    }
}

/// OAuth's own codes come with parameters of the login.
fn is_about_login(errors: &[ProviderError]) -> bool {
    errors.iter().any(|error| error.code.starts_with("OAU-"))
}

/// Names a parameter, or is of a kind that is about nothing else. Our webhook URL is no part of what the caller
/// asked for.
fn is_about_request(error: &ProviderError) -> bool {
    let is_of_request = error.parameter.is_some()
        || error.code.starts_with("CAI-")
        || ["CMN-101", "CMN-103", "CMN-104"].contains(&error.code.as_str());
    is_of_request && error.parameter.as_deref() != Some("webhook")
}
