//! Extractors that reject with problems instead of plain text.
use axum::{
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, Request, rejection::PathRejection,
    },
    http::{header, request::Parts},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;

use super::{ApiError, ApiState, RequestPermit, bodies::BodyMemory};
use crate::http::{self, Fault};

/// A JSON body with its bytes, which identify the request for idempotency.
#[derive(Debug)]
pub struct ApiJson {
    pub value: Value,
    pub bytes: Bytes,
    /// Until what was made of the body is not needed any more.
    pub memory: BodyMemory,
}

impl FromRequest<ApiState> for ApiJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if !kind.and_then(|value| value.to_str().ok()).is_some_and(http::is_json) {
            return Err(ApiError::NotJson);
        }
        let permit = request.extensions().get::<RequestPermit>();
        let caller_id = permit.and_then(RequestPermit::caller_id);
        let (bytes, memory) = state.bodies.read(caller_id, request.into_body()).await?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::MalformedBody(error.to_string()))?;
        Ok(Self { value, bytes, memory })
    }
}

/// `None` when there is no `Content-Type`, and so no body.
impl OptionalFromRequest<ApiState> for ApiJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Option<Self>, ApiError> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<ApiState>>::from_request(request, state).await.map(Some)
    }
}

impl ApiJson {
    /// The body as `T`, which rejects unknown members.
    ///
    /// # Errors
    /// `validation-failed` with the first fault.
    pub fn typed<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        T::deserialize(self.value).map_err(|error| {
            ApiError::ValidationFailed(Fault::at("#", "format", error.to_string()).into())
        })
    }
}

/// `axum::extract::Path` with problems. The only parameter in a path of this API is an id.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct ApiPath<T>(pub T);

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        if rejection.status().is_server_error() {
            // The route and its handler do not match.
            return Self::Internal(rejection.into());
        }
        let detail = "the id must be a UUID such as 0199f0c2-a4b8-7c3e-9a4d-5e6f70819203";
        Self::invalid_parameter("path", "format", detail)
    }
}

/// The query parameters of a request. A parameter may be repeated where it is a list.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        http::read_query(query).map(Self).map_err(ApiError::InvalidParameters)
    }
}
