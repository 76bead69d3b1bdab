//! Each caller's share of what a process does at once.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use uuid::Uuid;

use super::{
    ApiError,
    holding::Holding,
    permits::{Exhausted, Permit, Permits},
};
use crate::config::ApiSettings;

/// What is counted, each kind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From its head to the last byte of its answer, unless it becomes one of the others.
    Request,
    Wait,
    Stream,
    Export,
}

impl Kind {
    /// What there are too many of, and the setting that says so for a process.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Request => ("requests", "api.max_requests"),
            Self::Wait => ("waits", "api.max_waits"),
            Self::Stream => ("event streams", "api.max_streams"),
            Self::Export => ("exports", "api.max_exports"),
        }
    }
}

/// How many of each kind there may be. Clones share what they count.
#[derive(Debug, Clone)]
pub struct Shares {
    requests: Permits,
    waits: Permits,
    streams: Permits,
    exports: Permits,
}

impl Shares {
    pub fn new(of: &ApiSettings) -> Self {
        Self {
            requests: Permits::new(of.max_requests, of.max_requests_per_caller),
            waits: Permits::new(of.max_waits, of.max_waits_per_caller),
            streams: Permits::new(of.max_streams, of.max_streams_per_caller),
            exports: Permits::new(of.max_exports.into(), of.max_exports_per_caller.into()),
        }
    }

    fn take(&self, kind: Kind, caller_id: Uuid) -> Result<Permit, ApiError> {
        let permits = match kind {
            Kind::Request => &self.requests,
            Kind::Wait => &self.waits,
            Kind::Stream => &self.streams,
            Kind::Export => &self.exports,
        };
        permits.take(caller_id, 1).map_err(|exhausted| match exhausted {
            Exhausted::Caller => ApiError::CallerLimit(kind),
            Exhausted::Process => ApiError::TooMany(kind),
        })
    }
}

/// What one request is counted as, until its answer has been sent. Clones are of the same request.
#[derive(Debug, Clone)]
pub struct Turn {
    shares: Shares,
    held: Arc<Mutex<Option<Permit>>>,
}

impl Turn {
    /// From now on it is one of that kind and of no other.
    ///
    /// # Errors
    /// `caller-limit` (429), or what says that the process has too many of them (503).
    pub fn take(&self, kind: Kind, caller_id: Uuid) -> Result<(), ApiError> {
        let permit = self.shares.take(kind, caller_id)?;
        self.set(Some(permit));
        Ok(())
    }

    /// The same for what goes on beside its answer: whoever holds the permit is counted.
    pub fn hand_over(&self, kind: Kind, caller_id: Uuid) -> Result<Permit, ApiError> {
        let permit = self.shares.take(kind, caller_id)?;
        self.set(None);
        Ok(permit)
    }

    /// Whose it is, once that is known.
    pub fn caller_id(&self) -> Option<Uuid> {
        self.held().as_ref().map(Permit::caller_id)
    }

    fn set(&self, permit: Option<Permit>) {
        *self.held() = permit;
    }

    fn held(&self) -> MutexGuard<'_, Option<Permit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives each request its turn: whoever learns who the caller is takes a permit for it.
pub async fn in_turn(State(shares): State<Shares>, mut request: Request, next: Next) -> Response {
    let turn = Turn { shares, held: Arc::default() };
    request.extensions_mut().insert(turn.clone());
    next.run(request).await.map(|body| Body::new(Holding::new(body, turn)))
}
