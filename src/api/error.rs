//! The errors of API operations.
use std::{any::Any, error::Error as StdError, sync::Arc, time::Duration};

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{self, InvalidHeaderValue},
    },
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Activity, Code, Problem};
use crate::{
    db,
    http::{CursorMismatch, Fault, Faults, HostFault},
    jobs::{Job, QuotaReset},
    media::StoreError,
};

/// Every response that is not a success.
///
/// A variant is a promise to callers: its [`Code`] never changes once released.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{0}")]
    MalformedBody(String),
    #[error("{}", listed(.0))]
    InvalidParameters(Faults),
    #[error("this cursor was made by another listing; start again without it")]
    CursorMismatch,
    #[error("the request has {} fault(s); see errors", .0.count())]
    ValidationFailed(Faults),
    #[error("send an API key created with `aftercall keys create`: Authorization: Bearer ac_…")]
    Unauthorized,
    #[error("the API key is unknown, revoked or expired")]
    UnknownKey,
    #[error("the session has ended, or its key was revoked or has expired; sign in again")]
    SessionEnded,
    #[error("send `Aftercall-Console: 1` with every change that a session of the console makes")]
    ConsoleHeaderMissing,
    #[error("the console is in read-only mode (console.read_only): nothing was changed")]
    ReadOnly,
    #[error("the API key lacks the scope {0}; see `aftercall keys create --scope`")]
    MissingScope(&'static str),
    #[error("this caller has no job {0}")]
    JobNotFound(String),
    #[error("there is no job {0}")]
    NoSuchJob(String),
    #[error("there is no such caller; see GET /v1/admin/callers")]
    CallerNotFound,
    #[error("there is no delivery {0}")]
    DeliveryNotFound(uuid::Uuid),
    #[error("there is no key {0}")]
    KeyNotFound(String),
    #[error("this caller has no endpoint {0}")]
    EndpointNotFound(uuid::Uuid),
    #[error("this caller has no notification {0}")]
    NotificationNotFound(uuid::Uuid),
    #[error("the endpoint is {0}: resume it first")]
    EndpointNotActive(&'static str),
    #[error(
        "the endpoint already has {0} unfinished replays (notify.replay_max); wait until they are sent"
    )]
    TooManyReplays(u32),
    #[error(
        "this caller already has {0} endpoints (notify.endpoints_per_caller); delete one that is no longer used"
    )]
    EndpointLimit(u32),
    #[error("the job is {0} and has no result")]
    ResultNotAvailable(&'static str),
    #[error("the result was deleted on {} because of its age (retention.results)", .0.format("%Y-%m-%d"))]
    ResultExpired(DateTime<Utc>),
    #[error(
        "the recording, or its URL, was deleted, by its owner or because of its age (retention.contents, \
        retention.media); retry with a fresh contentUri, or submit an upload again as a new job"
    )]
    RecordingExpired,
    #[error("the recording is not available: {0}")]
    RecordingNotAvailable(String),
    #[error("this caller has no recording {0}")]
    MediaNotFound(uuid::Uuid),
    #[error("a job that is not final needs the recording; cancel it, or wait until it has ended")]
    MediaInUse,
    #[error("{0}")]
    NotAudio(String),
    #[error(
        "send the recording as audio/*, video/* or application/octet-stream, or a form as multipart/form-data"
    )]
    NotMedia,
    #[error("send the recording without Content-Encoding")]
    MediaCompressed,
    #[error("the recording is larger than media.max_size allows; nothing was stored")]
    MediaTooLarge,
    #[error(
        "the recording was sent more slowly than media.min_rate, media.timeout and media.max_time allow; nothing was stored"
    )]
    MediaTooSlow,
    #[error(
        "the caller has {} of {} in use (media.caller_bytes); delete recordings that are no longer needed",
        bytesize::ByteSize(*held), bytesize::ByteSize(*quota)
    )]
    MediaQuota { held: u64, quota: u64 },
    #[error("no store of recordings is configured: set media.store")]
    NoMediaStore,
    #[error("the store of recordings does not work right now; nothing was stored")]
    MediaStore(#[source] StoreError),
    #[error(
        "the recording's URL expires at {}, but is submitted at about {} and must be valid for {} s longer \
        (dispatch.url_margin); give a URL that is valid until {}",
        shown(.0.expires_at), shown(.0.eta), .0.margin.num_seconds(), shown(.0.eta + .0.margin)
    )]
    ExpiresTooSoon(UrlExpiry),
    #[error("cannot {0} a job that is {1}")]
    StateConflict(&'static str, &'static str),
    #[error("the key is revoked or expired")]
    KeyEnded,
    #[error("the key has the successor {0}; if that was lost, revoke it, then roll again")]
    KeyRolled(String),
    #[error("the API has nothing at this path; see /docs")]
    NoSuchRoute,
    #[error("this path does not support the method; see the Allow header")]
    MethodNotAllowed,
    #[error("none of the types in Accept is available; the available types are {0}")]
    NotAcceptable(String),
    #[error("the job has changed: its ETag is now {0}")]
    PreconditionFailed(String),
    #[error("send the body as Content-Type: application/json")]
    NotJson,
    #[error("the body is larger than api.max_body allows")]
    BodyTooLarge,
    #[error(
        "the body holds more values (strings, numbers, arrays, objects) than api.max_values allows: {0}"
    )]
    TooManyValues(usize),
    #[error("the body was not complete within api.request_timeout")]
    BodyTooSlow,
    #[error("this Idempotency-Key was used before with another body")]
    IdempotencyKeyReused,
    #[error("the response took longer than api.request_timeout")]
    TookTooLong,
    #[error("the database is unreachable, out of connections, or not accepting writes")]
    Unavailable(#[source] Arc<sqlx::Error>),
    #[error("this process already has as many concurrent {} as {} allows", .0.names().0, .0.names().1)]
    TooMany(Activity),
    #[error(
        "more than {limit} requests per {}; try again in {retry_after} s",
        humantime_serde::re::humantime::format_duration(*.window)
    )]
    RateLimited { limit: u32, window: Duration, retry_after: u64 },
    #[error("the bodies of other requests use all of api.memory")]
    OverBudget,
    #[error(
        "this caller already has as many concurrent {} as {}_per_caller allows",
        .0.names().0, .0.names().1
    )]
    CallerLimit(Activity),
    #[error("the bodies of this caller's other requests use all of api.memory_per_caller")]
    CallerMemory,
    #[error(
        "this app's quota of submissions is used up, or will be by its queued jobs; it resets at {}",
        .0.at.format("%Y-%m-%dT%H:%M:%SZ")
    )]
    QuotaExhausted(QuotaReset),
    #[error("unexpected failure")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

/// A URL that expires before its turn comes.
#[derive(Debug, Clone, Copy)]
pub struct UrlExpiry {
    pub expires_at: DateTime<Utc>,
    /// When it would be submitted.
    pub eta: DateTime<Utc>,
    pub margin: TimeDelta,
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `limit: must be …; sort: must be …`
fn listed(faults: &Faults) -> String {
    let one = |fault: &Fault| {
        let name = fault.parameter.as_deref().unwrap_or_default();
        format!("{name}: {}", fault.detail)
    };
    faults.listed().iter().map(one).collect::<Vec<_>>().join("; ")
}

impl ApiError {
    /// One fault of a query parameter, a header, or the `path`.
    pub fn invalid_parameter(
        name: &'static str,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::InvalidParameters(Fault::of_parameter(name, code, detail).into())
    }

    pub fn code(&self) -> Code {
        match self {
            Self::MalformedBody(_) => Code::MalformedBody,
            Self::InvalidParameters(_) => Code::InvalidParameter,
            Self::CursorMismatch => Code::CursorMismatch,
            Self::ValidationFailed(_) => Code::ValidationFailed,
            Self::Unauthorized | Self::UnknownKey | Self::SessionEnded => Code::Unauthorized,
            Self::ConsoleHeaderMissing => Code::ConsoleHeaderMissing,
            Self::ReadOnly => Code::ReadOnly,
            Self::MissingScope(_) => Code::MissingScope,
            Self::JobNotFound(_) | Self::NoSuchJob(_) => Code::JobNotFound,
            Self::CallerNotFound => Code::CallerNotFound,
            Self::DeliveryNotFound(_) => Code::DeliveryNotFound,
            Self::KeyNotFound(_) => Code::KeyNotFound,
            Self::EndpointNotFound(_) => Code::EndpointNotFound,
            Self::EndpointLimit(_) => Code::EndpointLimit,
            Self::NotificationNotFound(_) => Code::NotificationNotFound,
            Self::EndpointNotActive(_) => Code::StateConflict,
            Self::ResultNotAvailable(_) => Code::ResultNotAvailable,
            Self::ResultExpired(_) => Code::ResultExpired,
            Self::RecordingExpired => Code::RecordingExpired,
            Self::RecordingNotAvailable(_) => Code::RecordingNotAvailable,
            Self::MediaNotFound(_) => Code::MediaNotFound,
            Self::StateConflict(..) | Self::MediaInUse | Self::KeyEnded | Self::KeyRolled(_) => {
                Code::StateConflict
            }
            Self::NotAudio(_) => Code::NotAudio,
            Self::NotMedia | Self::MediaCompressed => Code::UnsupportedMediaType,
            Self::MediaQuota { .. } => Code::MediaQuota,
            Self::NoMediaStore | Self::MediaStore(_) => Code::MediaStoreUnavailable,
            Self::TooMany(Activity::Transfer) => Code::TooManyTransfers,
            Self::ExpiresTooSoon(_) => Code::ExpiresTooSoon,
            Self::NoSuchRoute => Code::NoSuchRoute,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::NotAcceptable(_) => Code::NotAcceptable,
            Self::PreconditionFailed(_) => Code::PreconditionFailed,
            Self::NotJson => Code::NotJson,
            Self::BodyTooLarge | Self::TooManyValues(_) | Self::MediaTooLarge => Code::BodyTooLarge,
            Self::BodyTooSlow | Self::MediaTooSlow => Code::BodyTooSlow,
            Self::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Self::TookTooLong => Code::TookTooLong,
            Self::Unavailable(_) => Code::Unavailable,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::TooMany(Activity::Request | Activity::Test) | Self::OverBudget => Code::Busy,
            Self::TooMany(Activity::Wait) => Code::TooManyWaits,
            Self::TooMany(Activity::Stream) => Code::TooManyStreams,
            Self::TooMany(Activity::Export) => Code::TooManyExports,
            Self::CallerLimit(_) | Self::CallerMemory | Self::TooManyReplays(_) => {
                Code::CallerLimit
            }
            Self::QuotaExhausted(_) => Code::QuotaExhausted,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// Why this job has no result to show.
    pub fn no_result(job: &Job) -> Self {
        let state = job.state.name();
        job.result_expired_at.map_or(Self::ResultNotAvailable(state), Self::ResultExpired)
    }

    /// Turns a caught panic into a 500; the payload goes to the log.
    #[expect(clippy::needless_pass_by_value, reason = "signature asked for by CatchPanicLayer")]
    pub fn from_panic(payload: Box<dyn Any + Send>) -> Response {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("panic without a message");
        Self::Internal(text.into()).into_response()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.code();
        let status = code.status();
        let (problem, error) = (code.name(), &self as &dyn StdError);
        match self {
            // A limit that holds is not a failure of this process.
            Self::TooMany(_) | Self::OverBudget => {
                tracing::warn!(problem, error, "request rejected: limit reached");
            }
            _ if status.is_server_error() => tracing::error!(problem, error, "request failed"),
            _ => {}
        }
        let retry_after = match self {
            Self::RateLimited { retry_after, .. } => retry_after.into(),
            Self::QuotaExhausted(reset) => reset.seconds.into(),
            _ => HeaderValue::from_static("5"),
        };
        let mut response = (status, Json(())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, retry_after);
            }
            // The rest of the body would be read as the next request.
            StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response.extensions_mut().insert(Arc::new(Problem::from(self)));
        response
    }
}

impl From<HostFault> for ApiError {
    fn from(fault: HostFault) -> Self {
        let (code, detail) = match fault {
            HostFault::Missing => ("missing", "HTTP/1.1 requires a Host header"),
            HostFault::Repeated => ("repeated", "must not be repeated"),
            HostFault::NoHost => ("format", "must be a host with or without a port"),
        };
        Self::invalid_parameter("Host", code, detail)
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Arc::new(error).into()
    }
}

/// Of a transaction for several requests.
impl From<Arc<sqlx::Error>> for ApiError {
    fn from(error: Arc<sqlx::Error>) -> Self {
        match &*error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed => {
                Self::Unavailable(error)
            }
            it if db::is_unavailable(it) => Self::Unavailable(error),
            _ => Self::Internal(Box::new(error)),
        }
    }
}

impl From<CursorMismatch> for ApiError {
    fn from(_: CursorMismatch) -> Self {
        Self::CursorMismatch
    }
}

impl From<InvalidHeaderValue> for ApiError {
    fn from(error: InvalidHeaderValue) -> Self {
        Self::Internal(error.into())
    }
}
