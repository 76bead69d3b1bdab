//! Keys as operators see them.
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::callers::{KeyRow, Scope};

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "9f86d081884c7d65", "caller": "support-desk", "name": "host 7", "state": "valid",
    "scopes": ["jobs:write", "jobs:read", "transcript:read"], "rate": null, "createdAt": "2026-05-01T09:30:00Z",
    "expiresAt": "2027-05-01T09:30:00Z", "lastUsedAt": "2026-05-02T16:04:00Z", "revokedAt": null,
    "successorId": null,
}))]
pub struct KeyView {
    /// The part of the key between `ac_` and the next `_`.
    pub id: String,
    /// The app that uses it.
    pub caller: String,
    /// What it is for.
    pub name: String,
    pub state: KeyState,
    #[schema(value_type = Vec<Scope>)]
    pub scopes: Vec<String>,
    /// Requests per `keys.rate_window`; null: as many as `keys.rate_limit`.
    #[schema(minimum = 1)]
    pub rate: Option<i32>,
    pub created_at: DateTime<Utc>,
    /// Null: it does not expire.
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute; null: never.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// The key that replaces it, if it was rolled.
    pub successor_id: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    Valid,
    Expired,
    Revoked,
}

impl From<KeyRow> for KeyView {
    fn from(row: KeyRow) -> Self {
        let state = match row.revoked_at {
            Some(_) => KeyState::Revoked,
            None if row.is_valid => KeyState::Valid,
            None => KeyState::Expired,
        };
        Self {
            id: row.id,
            caller: row.caller,
            name: row.name,
            state,
            scopes: row.scopes,
            rate: row.rate,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            successor_id: row.successor_id,
        }
    }
}

/// A new API key with its secret, which is shown only this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "key": "ac_9f86d081884c7d65_…", "id": "9f86d081884c7d65", "caller": "support-desk", "name": "host 7",
    "state": "valid", "scopes": ["jobs:write", "jobs:read", "transcript:read"], "rate": null,
    "createdAt": "2026-05-01T09:30:00Z", "expiresAt": null, "lastUsedAt": null, "revokedAt": null,
    "successorId": null,
}))]
pub struct NewKeyView {
    /// Sent as `Authorization: Bearer …`.
    #[serde(serialize_with = "exposed")]
    #[schema(value_type = String)]
    pub key: SecretString,
    #[serde(flatten)]
    pub about: KeyView,
}

fn exposed<S: Serializer>(key: &SecretString, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(key.expose_secret())
}
