//! Endpoints: URLs at which callers want to be notified, with their secrets and their state.
//!
//! URLs may contain credentials, so they and the secrets are sealed ([`crate::seal`]). A deleted endpoint loses both and
//! keeps its row, since messages refer to it.
mod event_type;
mod health;
mod read;
mod state;
mod targets;
mod write;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use event_type::EventType;
pub use health::{Health, PauseRules, Sign, Stopped, due_probes, record_health};
pub use read::{find, list};
pub use state::{EndpointState, Include, PauseReason};
pub use targets::{EndpointTarget, now, secret, targets};
pub use write::{
    EndpointChange, NewEndpoint, NewUrl, create, delete, forget_secrets, pause, remove_deleted,
    resume, rotate, update,
};

/// The table, as sealed values know it.
const TABLE: &str = "endpoints";

/// An endpoint as its caller may see it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: Uuid,
    /// Without credentials.
    pub url_shown: String,
    /// Names of event types; a newer version may have stored others than those of [`EventType`].
    pub events: Vec<String>,
    pub include: Vec<String>,
    pub description: Option<String>,
    pub state: EndpointState,
    pub pause_reason: Option<PauseReason>,
    pub paused_at: Option<DateTime<Utc>>,
    /// Consecutive ones.
    pub failures: i32,
    pub failing_since: Option<DateTime<Utc>>,
    pub last_success_at: Option<DateTime<Utc>>,
    /// Until when the previous secret also signs.
    pub rotating_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
