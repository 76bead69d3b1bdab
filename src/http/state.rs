//! What every handler of the REST API may reach.
use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::Notify;

use super::{Bodies, Cursors};
use crate::config::{GateSettings, TextLimits};

#[derive(Debug, Clone)]
pub struct ApiState {
    pub db: PgPool,
    pub cursors: Cursors,
    /// Poked after a job was queued, so that it does not wait for the dispatcher's next look.
    pub wake_dispatcher: Arc<Notify>,
    /// Poked after every commit that changed jobs, so that those who wait for them are told.
    pub changed: Arc<Notify>,
    /// Tells queued jobs when their turn comes.
    pub gate: GateSettings,
    /// Time from intake to `timed_out`.
    pub deadline: std::time::Duration,
    /// Memory for the bodies of requests.
    pub bodies: Bodies,
    /// What may be made of a stored delivery when it is read again.
    pub limits: TextLimits,
}
