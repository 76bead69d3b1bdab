//! Extractors whose rejections are problems instead of plain text.
use axum::{
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, Request, rejection::PathRejection,
    },
    http::{StatusCode, header, request::Parts},
};
use axum_extra::extract::{Query, QueryRejection};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ApiError, Fault};

/// A JSON body with its bytes, which name the request for idempotency.
#[derive(Debug)]
pub struct ApiJson {
    pub value: Value,
    pub bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for ApiJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if !kind.and_then(|value| value.to_str().ok()).is_some_and(is_json) {
            return Err(ApiError::NotJson);
        }
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge,
                    _ => {
                        ApiError::MalformedBody("the body ended before it was complete".to_owned())
                    }
                }
            })?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::MalformedBody(error.to_string()))?;
        Ok(Self { value, bytes })
    }
}

/// `None` when there is no `Content-Type`, which is to say no body.
impl<S: Send + Sync> OptionalFromRequest<S> for ApiJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl ApiJson {
    /// The body as `T`, which refuses unknown members.
    ///
    /// # Errors
    /// `validation-failed` with the first fault.
    pub fn typed<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        T::deserialize(self.value).map_err(|error| {
            let pointer = "#".to_owned();
            let detail = error.to_string();
            ApiError::ValidationFailed(vec![Fault { pointer, code: "format", detail }])
        })
    }
}

/// Whether a `Content-Type` is that of JSON.
pub fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// `axum::extract::Path` with problems.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct ApiPath<T>(pub T);

/// A query string in which a key may be repeated. A parameter without a value is left out.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Postgres takes no NUL; this is the only way to write one in a query.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            let detail = "no parameter may contain the character U+0000";
            return Err(ApiError::InvalidParameter(detail.to_owned()));
        }
        let Query(value) = Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::InvalidParameter(rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::InvalidParameter(rejection.body_text())
    }
}
