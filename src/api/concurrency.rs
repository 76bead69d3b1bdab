//! Limits for concurrent work, in the process and per caller.
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

use super::{ApiError, RateLimits, Terms, rate::Standing};
use crate::{
    callers::{Caller, CallerId},
    config::{ApiSettings, MediaSettings},
    http::{Exhausted, Permit, Permits},
};

/// What is limited, each separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// From the head of a request to the last byte of its response, unless it counts as one of the others.
    Request,
    Wait,
    Stream,
    Export,
    /// An upload or download of a recording.
    Transfer,
    /// Sends a message to a URL, and waits for its response.
    Test,
}

impl Activity {
    /// Its plural, and the setting that limits it in a process.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Request => ("requests", "api.max_requests"),
            Self::Wait => ("waits", "api.max_waits"),
            Self::Stream => ("event streams", "api.max_streams"),
            Self::Export => ("exports", "api.max_exports"),
            Self::Transfer => ("transfers", "media.max_transfers"),
            Self::Test => ("tests of endpoints", "api.max_tests"),
        }
    }
}

/// The limits of a process, with what counts against them. Clones share it.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimits(Arc<ByActivity>);

#[derive(Debug)]
struct ByActivity {
    requests: Permits<CallerId>,
    waits: Permits<CallerId>,
    streams: Permits<CallerId>,
    exports: Permits<CallerId>,
    transfers: Permits<CallerId>,
    tests: Permits<CallerId>,
}

impl ConcurrencyLimits {
    pub fn new(of: &ApiSettings, media: &MediaSettings) -> Self {
        Self(Arc::new(ByActivity {
            requests: Permits::new(of.max_requests, of.max_requests_per_caller),
            waits: Permits::new(of.max_waits, of.max_waits_per_caller),
            streams: Permits::new(of.max_streams, of.max_streams_per_caller),
            exports: Permits::new(of.max_exports.into(), of.max_exports_per_caller.into()),
            transfers: Permits::new(media.max_transfers, media.max_transfers_per_caller),
            tests: Permits::new(of.max_tests.into(), of.max_tests_per_caller.into()),
        }))
    }

    /// Holds no permit yet: the caller is known only once the API key has been checked.
    pub(super) fn request(&self, rates: &RateLimits, terms: Terms) -> RequestPermit {
        RequestPermit { limits: self.clone(), rates: rates.clone(), terms, holder: Arc::default() }
    }

    fn take(&self, activity: Activity, caller_id: CallerId) -> Result<Permit<CallerId>, ApiError> {
        let permits = match activity {
            Activity::Request => &self.0.requests,
            Activity::Wait => &self.0.waits,
            Activity::Stream => &self.0.streams,
            Activity::Export => &self.0.exports,
            Activity::Transfer => &self.0.transfers,
            Activity::Test => &self.0.tests,
        };
        permits.take(caller_id, 1).map_err(|exhausted| match exhausted {
            Exhausted::Holder => ApiError::CallerLimit(activity),
            Exhausted::All => ApiError::TooMany(activity),
        })
    }
}

/// What one request counts as until its response has been sent. Clones belong to the same request.
#[derive(Debug, Clone)]
pub struct RequestPermit {
    limits: ConcurrencyLimits,
    rates: RateLimits,
    terms: Terms,
    holder: Arc<Holder>,
}

#[derive(Debug, Default)]
struct Holder {
    name: OnceLock<String>,
    standing: OnceLock<Standing>,
    held: Mutex<Option<Permit<CallerId>>>,
}

impl<S: Sync> FromRequestParts<S> for RequestPermit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let permit = parts.extensions.get::<Self>().cloned();
        permit.ok_or_else(|| ApiError::Internal("a request without a permit".into()))
    }
}

impl RequestPermit {
    /// From now on the request counts as `activity`, and as nothing else.
    ///
    /// # Errors
    /// `caller-limit` (429), or the code that says that the process has too many of them (503).
    pub fn count_as(&self, activity: Activity, caller_id: CallerId) -> Result<(), ApiError> {
        let permit = self.limits.take(activity, caller_id)?;
        self.set(Some(permit));
        Ok(())
    }

    /// The same for work that goes on outside the handler: it counts until the permit is dropped.
    ///
    /// # Errors
    /// As for [`RequestPermit::count_as`].
    pub fn hand_over(
        &self,
        activity: Activity,
        caller_id: CallerId,
    ) -> Result<Permit<CallerId>, ApiError> {
        let permit = self.limits.take(activity, caller_id)?;
        self.set(None);
        Ok(permit)
    }

    /// The request is this caller's, and is charged to the key.
    ///
    /// # Errors
    /// `rate-limited` (429).
    pub fn belongs_to(&self, caller: &Caller) -> Result<(), ApiError> {
        self.holder.name.get_or_init(|| caller.key_owner().to_owned());
        self.holder
            .standing
            .get_or_init(|| self.rates.charge_key(caller, self.terms.weight))
            .check()
    }

    /// The request has no valid key, and is charged to its address.
    ///
    /// # Errors
    /// `rate-limited` (429).
    pub fn belongs_to_no_one(&self, address: IpAddr) -> Result<(), ApiError> {
        self.holder.standing.get_or_init(|| self.rates.charge_address(address, 1)).check()
    }

    /// # Errors
    /// `missing-scope` (403) if the operation needs one that the caller's key lacks.
    pub fn check_scopes(&self, caller: &Caller) -> Result<(), ApiError> {
        caller.require(self.terms.scopes)
    }

    pub fn rates(&self) -> &RateLimits {
        &self.rates
    }

    /// Adds what the key or the address has left to a response.
    pub fn show_rate(&self, address: IpAddr, headers: &mut HeaderMap) {
        let looked = || self.rates.charge_address(address, 0);
        self.holder.standing.get_or_init(looked).show(headers);
    }

    /// The caller's name, once it is known, whether or not it got a permit.
    pub fn caller_name(&self) -> Option<&str> {
        self.holder.name.get().map(String::as_str)
    }

    /// The caller, once it is known.
    pub fn caller_id(&self) -> Option<CallerId> {
        self.held().as_ref().map(Permit::holder)
    }

    fn set(&self, permit: Option<Permit<CallerId>>) {
        *self.held() = permit;
    }

    fn held(&self) -> MutexGuard<'_, Option<Permit<CallerId>>> {
        self.holder.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
