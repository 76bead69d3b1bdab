//! The state that every handler of the REST API can access.
use std::{ops::Deref, sync::Arc, time::Duration};

use sqlx::PgPool;

use super::{Bodies, MediaAccess, SessionTerms};
use crate::{
    callers::{KeyCache, KeyWatch},
    config::{
        AccountGate, KeysSettings, NotifySettings, RetentionSettings, ShownSettings, TextLimits,
    },
    egress::Sender,
    events::Feed,
    http::{Cursors, Pace},
    insights::ResultLoader,
    jobs::Announcer,
    metrics::Metrics,
    provider::MediaHosts,
    reads::Reads,
    seal::Seal,
};

/// Cheap to clone, since clones share everything: each request has one.
#[derive(Debug, Clone)]
pub struct ApiState(Arc<Shared>);

#[derive(Debug)]
pub struct Shared {
    pub db: PgPool,
    /// Runs what only reads and may be heavy.
    pub reads: Reads,
    pub cursors: Cursors,
    /// Begins transactions that change jobs, so that the dispatcher and the feed are notified.
    pub announcer: Announcer,
    /// Seals credentials that are stored.
    pub seal: Seal,
    /// Whose recordings get an access token when they are submitted.
    pub media_hosts: MediaHosts,
    /// How long a recording's URL must remain valid after the estimated time of its submission.
    pub url_margin: Duration,
    /// For the estimated submission time of queued jobs.
    pub gates: Vec<AccountGate>,
    /// How long a handler may take.
    pub request_timeout: Duration,
    /// Time from submission to `timed_out`.
    pub deadline: Duration,
    /// Memory for request bodies.
    pub bodies: Bodies,
    /// Limits for reparsing a stored delivery.
    pub limits: TextLimits,
    /// Validity of new keys.
    pub keys: KeysSettings,
    /// Recently authenticated keys and sessions.
    pub known_keys: KeyCache,
    /// Of the console; `None`: there is none, and cookies are ignored.
    pub sessions: Option<SessionTerms>,
    /// Keys in use by waits, streams and exports.
    pub watched_keys: KeyWatch,
    /// Notifies waits and streams of changes of jobs.
    pub feed: Feed,
    /// The minimum speed of exports.
    pub export_pace: Pace,
    pub results: ResultLoader,
    /// Uploaded recordings.
    pub media: MediaAccess,
    pub metrics: Metrics,
    pub notify: NotifySettings,
    pub retention: RetentionSettings,
    /// All settings, for operators.
    pub settings: ShownSettings,
    /// Sends messages to endpoints.
    pub sender: Sender,
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
