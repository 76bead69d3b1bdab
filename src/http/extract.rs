//! Extractors whose rejections are problems instead of plain text.
use axum::{
    extract::{
        FromRef, FromRequest, FromRequestParts, OptionalFromRequest, Request,
        rejection::PathRejection,
    },
    http::header,
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ApiError, Bodies, Fault, Turn, bodies::Held};

/// A JSON body with its bytes, which name the request for idempotency.
#[derive(Debug)]
pub struct ApiJson {
    pub value: Value,
    pub bytes: Bytes,
    /// Until the request is answered.
    _held: Held,
}

impl<S: Send + Sync> FromRequest<S> for ApiJson
where
    Bodies: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if !kind.and_then(|value| value.to_str().ok()).is_some_and(is_json) {
            return Err(ApiError::NotJson);
        }
        let caller_id = request.extensions().get::<Turn>().and_then(Turn::caller_id);
        // Bodies are for callers only: whoever cannot say who it is shares with all who cannot.
        let caller_id = caller_id.unwrap_or_default();
        let (bytes, held) = Bodies::from_ref(state).read(caller_id, request.into_body()).await?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::MalformedBody(error.to_string()))?;
        Ok(Self { value, bytes, _held: held })
    }
}

/// `None` when there is no `Content-Type`, which is to say no body.
impl<S: Send + Sync> OptionalFromRequest<S> for ApiJson
where
    Bodies: FromRef<S>,
{
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
            ApiError::ValidationFailed(Fault::at("#", "format", error.to_string()).into())
        })
    }
}

/// Whether a `Content-Type` is that of JSON.
pub fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// `axum::extract::Path` with problems. All that paths of ours hold is an id.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct ApiPath<T>(pub T);

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        if rejection.status().is_server_error() {
            // The route and its handler do not fit together.
            return Self::Internal(rejection.into());
        }
        let detail = "the id must be a UUID such as 0199f0c2-a4b8-7c3e-9a4d-5e6f70819203";
        Self::invalid_parameter("path", "format", detail)
    }
}
