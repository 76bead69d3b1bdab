//! `/v1/endpoints`: where a caller wants to be notified. Everything here requires the scope `notify:write`.
mod actions;
mod body;
mod crud;
mod deliver;
mod views;

use axum::{extract::FromRequestParts, http::request::Parts};
use sqlx::PgExecutor;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::{
    api::{ApiError, ApiPath, ApiState},
    callers::Caller,
    endpoints::{self, Endpoint},
};

pub fn router() -> OpenApiRouter<ApiState> {
    crud::router().merge(actions::router()).merge(deliver::router())
}

/// The caller and the id of the requested endpoint. Handlers require the scope themselves, once the rest of the request
/// is known to be valid.
#[derive(Debug)]
pub struct OwnedEndpoint {
    pub caller: Caller,
    pub id: Uuid,
}

impl FromRequestParts<ApiState> for OwnedEndpoint {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let ApiPath(id) = ApiPath::from_request_parts(parts, state).await?;
        Ok(Self { caller, id })
    }
}

impl OwnedEndpoint {
    /// # Errors
    /// `endpoint-not-found`, also when it is deleted or belongs to another caller.
    pub async fn find(&self, db: impl PgExecutor<'_>) -> Result<Endpoint, ApiError> {
        let found = endpoints::find(db, self.caller.id, self.id).await?;
        found.ok_or(ApiError::EndpointNotFound(self.id))
    }

    /// The endpoint after a change.
    ///
    /// # Errors
    /// `endpoint-not-found` unless the change was `applied`.
    pub async fn changed(
        &self,
        applied: bool,
        db: impl PgExecutor<'_>,
    ) -> Result<Endpoint, ApiError> {
        if applied { self.find(db).await } else { Err(ApiError::EndpointNotFound(self.id)) }
    }
}
