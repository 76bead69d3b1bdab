//! The codes of all problems, with their statuses and titles.
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($variant:ident: $status:ident, $name:tt, $title:tt;)*) => {
        /// Identifies a kind of problem: match on it. `/docs/errors` explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[schema(as = ProblemCode)]
        pub enum Code {
            $(#[serde(rename = $name)] $variant,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// As in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    MalformedBody: BAD_REQUEST, "malformed-body", "Body is not valid JSON";
    InvalidParameter: BAD_REQUEST, "invalid-parameter", "Invalid parameter";
    CursorMismatch: BAD_REQUEST, "cursor-mismatch", "Cursor does not match";
    Unauthorized: UNAUTHORIZED, "unauthorized", "No valid API key";
    MissingScope: FORBIDDEN, "missing-scope", "Missing scope";
    ConsoleHeaderMissing: FORBIDDEN, "console-header-missing", "Header of the console missing";
    ReadOnly: FORBIDDEN, "read-only", "Console is read-only";
    JobNotFound: NOT_FOUND, "job-not-found", "Job not found";
    ResultNotAvailable: NOT_FOUND, "result-not-available", "Result not available";
    CallerNotFound: NOT_FOUND, "caller-not-found", "Caller not found";
    DeliveryNotFound: NOT_FOUND, "delivery-not-found", "Delivery not found";
    KeyNotFound: NOT_FOUND, "key-not-found", "API key not found";
    MediaNotFound: NOT_FOUND, "media-not-found", "Recording not found";
    RecordingNotAvailable: NOT_FOUND, "recording-not-available", "Recording not available";
    EndpointNotFound: NOT_FOUND, "endpoint-not-found", "Endpoint not found";
    NotificationNotFound: NOT_FOUND, "notification-not-found", "Notification not found";
    NoSuchRoute: NOT_FOUND, "no-such-route", "Path not found";
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed";
    NotAcceptable: NOT_ACCEPTABLE, "not-acceptable", "No acceptable media type";
    BodyTooSlow: REQUEST_TIMEOUT, "body-too-slow", "Body was sent too slowly";
    StateConflict: CONFLICT, "state-conflict", "Not possible in this state";
    EndpointLimit: CONFLICT, "endpoint-limit", "Too many endpoints";
    PreconditionFailed: PRECONDITION_FAILED, "precondition-failed", "Precondition failed";
    ResultExpired: GONE, "result-expired", "Result expired";
    RecordingExpired: GONE, "recording-expired", "Recording expired";
    BodyTooLarge: PAYLOAD_TOO_LARGE, "body-too-large", "Body too large";
    MediaQuota: PAYLOAD_TOO_LARGE, "media-quota", "Quota of stored recordings used up";
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type";
    NotJson: UNSUPPORTED_MEDIA_TYPE, "not-json", "Body must be JSON";
    ValidationFailed: UNPROCESSABLE_ENTITY, "validation-failed", "Invalid request";
    NotAudio: UNPROCESSABLE_ENTITY, "not-audio", "Not usable audio";
    ExpiresTooSoon: UNPROCESSABLE_ENTITY, "expires-too-soon", "URL expires too soon";
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused";
    RateLimited: TOO_MANY_REQUESTS, "rate-limited", "Too many requests";
    CallerLimit: TOO_MANY_REQUESTS, "caller-limit", "Caller limit reached";
    QuotaExhausted: TOO_MANY_REQUESTS, "quota-exhausted", "Quota used up";
    Internal: INTERNAL_SERVER_ERROR, "internal", "Internal error";
    Unavailable: SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable";
    Busy: SERVICE_UNAVAILABLE, "busy", "Too many concurrent requests";
    TooManyWaits: SERVICE_UNAVAILABLE, "too-many-waits", "Too many concurrent waits";
    TooManyStreams: SERVICE_UNAVAILABLE, "too-many-streams", "Too many concurrent event streams";
    TooManyExports: SERVICE_UNAVAILABLE, "too-many-exports", "Too many concurrent exports";
    TooManyTransfers: SERVICE_UNAVAILABLE, "too-many-transfers", "Too many concurrent transfers";
    MediaStoreUnavailable: SERVICE_UNAVAILABLE, "media-store-unavailable", "Store of recordings unavailable";
    TookTooLong: GATEWAY_TIMEOUT, "took-too-long", "Response took too long";
}
