//! Each caller's share of what a process does at once.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{extract::FromRequestParts, http::request::Parts};
use uuid::Uuid;

use super::{
    ApiError,
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
pub struct Shares(Arc<Kinds>);

#[derive(Debug)]
struct Kinds {
    requests: Permits,
    waits: Permits,
    streams: Permits,
    exports: Permits,
}

impl Shares {
    pub fn new(of: &ApiSettings) -> Self {
        Self(Arc::new(Kinds {
            requests: Permits::new(of.max_requests, of.max_requests_per_caller),
            waits: Permits::new(of.max_waits, of.max_waits_per_caller),
            streams: Permits::new(of.max_streams, of.max_streams_per_caller),
            exports: Permits::new(of.max_exports.into(), of.max_exports_per_caller.into()),
        }))
    }

    /// The turn of one request; whoever learns who its caller is takes a permit for it.
    pub(super) fn turn(&self) -> Turn {
        Turn { shares: self.clone(), held: Arc::default() }
    }

    fn take(&self, kind: Kind, caller_id: Uuid) -> Result<Permit, ApiError> {
        let permits = match kind {
            Kind::Request => &self.0.requests,
            Kind::Wait => &self.0.waits,
            Kind::Stream => &self.0.streams,
            Kind::Export => &self.0.exports,
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

impl<S: Sync> FromRequestParts<S> for Turn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let turn = parts.extensions.get::<Self>().cloned();
        turn.ok_or_else(|| ApiError::Internal("a request without a turn".into()))
    }
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
