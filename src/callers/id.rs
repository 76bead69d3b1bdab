//! Which caller is meant.
use std::fmt;

use uuid::Uuid;

/// A `UUIDv7`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct CallerId(Uuid);

impl CallerId {
    /// The id of a new caller.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for CallerId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for CallerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
