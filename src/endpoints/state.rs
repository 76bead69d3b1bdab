//! Values of columns.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether an endpoint gets messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EndpointState {
    Active,
    /// Messages are kept for it.
    Paused,
    /// Its server responded with 410 (Gone).
    Disabled,
}

/// Why an endpoint gets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PauseReason {
    ByCaller,
    Failing,
    Gone,
}

/// What messages contain beyond the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Include {
    /// The short summary of the conversation, once it is completed.
    Summary,
}

impl Include {
    pub const ALL: &[Self] = &[Self::Summary];

    /// As in JSON and in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
        }
    }
}
