//! The codes of all problems, each with its status and title.
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($variant:ident: $status:ident, $name:tt, $title:tt;)*) => {
        /// Names a kind of problem: match on it. Explained at `/docs/errors`.
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

            /// As it is written in JSON.
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
    InvalidParameter: BAD_REQUEST, "invalid-parameter", "Parameter is not valid";
    CursorMismatch: BAD_REQUEST, "cursor-mismatch", "Cursor does not fit";
    Unauthorized: UNAUTHORIZED, "unauthorized", "No valid API key";
    MissingScope: FORBIDDEN, "missing-scope", "Scope missing";
    JobNotFound: NOT_FOUND, "job-not-found", "No such job";
    ResultNotAvailable: NOT_FOUND, "result-not-available", "No result yet";
    DeliveryNotFound: NOT_FOUND, "delivery-not-found", "No such delivery";
    NoSuchRoute: NOT_FOUND, "no-such-route", "No such path";
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed";
    NotAcceptable: NOT_ACCEPTABLE, "not-acceptable", "Not in the types you accept";
    BodyTooSlow: REQUEST_TIMEOUT, "body-too-slow", "Body came too slowly";
    StateConflict: CONFLICT, "state-conflict", "Not in this state";
    PreconditionFailed: PRECONDITION_FAILED, "precondition-failed", "Changed meanwhile";
    BodyTooLarge: PAYLOAD_TOO_LARGE, "body-too-large", "Body too large";
    NotJson: UNSUPPORTED_MEDIA_TYPE, "not-json", "JSON body expected";
    ValidationFailed: UNPROCESSABLE_ENTITY, "validation-failed", "Request is not valid";
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused";
    CallerLimit: TOO_MANY_REQUESTS, "caller-limit", "Too many at once for one caller";
    Internal: INTERNAL_SERVER_ERROR, "internal", "Internal error";
    Unavailable: SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment";
    Busy: SERVICE_UNAVAILABLE, "busy", "Too many requests at once";
    TooManyWaits: SERVICE_UNAVAILABLE, "too-many-waits", "Too many waits at once";
    TooManyStreams: SERVICE_UNAVAILABLE, "too-many-streams", "Too many event streams at once";
    TooManyExports: SERVICE_UNAVAILABLE, "too-many-exports", "Too many exports at once";
    TookTooLong: GATEWAY_TIMEOUT, "took-too-long", "Took too long";
}
