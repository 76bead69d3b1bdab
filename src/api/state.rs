//! What every handler of the REST API may reach.
use std::{ops::Deref, sync::Arc, time::Duration};

use sqlx::PgPool;

use super::Bodies;
use crate::{
    callers::{KeyCache, KeyWatch},
    config::{GateSettings, TextLimits},
    events::Feed,
    http::{Cursors, Pace},
    insights::ResultLoader,
    jobs::Announcer,
};

/// Clones share everything, and cost next to nothing: each request has one.
#[derive(Debug, Clone)]
pub struct ApiState(Arc<Shared>);

#[derive(Debug)]
pub struct Shared {
    pub db: PgPool,
    pub cursors: Cursors,
    /// Begins what changes jobs, so that the dispatcher and those who wait for them are told.
    pub announcer: Announcer,
    /// Tells queued jobs when their turn comes.
    pub gate: GateSettings,
    /// Time from intake to `timed_out`.
    pub deadline: Duration,
    /// Memory for the bodies of requests.
    pub bodies: Bodies,
    /// What may be made of a stored delivery when it is read again.
    pub limits: TextLimits,
    /// Keys that were looked up a moment ago.
    pub known_keys: KeyCache,
    /// Keys in use by waits, streams and exports.
    pub watched_keys: KeyWatch,
    /// Tells waits and streams what happens to jobs.
    pub feed: Feed,
    /// How slow an export may be.
    pub export_pace: Pace,
    pub results: ResultLoader,
}

impl ApiState {
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for ApiState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
