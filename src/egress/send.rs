//! Sends one signed message to an endpoint, and says what came of it.
//!
//! Every failure is an outcome: the endpoint belongs to somebody else, who may redirect, hang, stream without end, or
//! respond with something that is not HTTP.
use std::{error::Error, io, time::Duration};

use axum::http::{HeaderName, StatusCode, header};
use bytes::Bytes;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{Guard, Refused, Secret, signature::signatures};
use crate::{config::NotifySettings, http};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Bytes of a response that are kept; more is not read.
const MOST_KEPT: usize = 2048;
/// Longest wait for those bytes once the status is known.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// Many servers close connections that were idle for 5 s; sending on one at that moment would fail.
const IDLE: Duration = Duration::from_secs(4);
const IDLE_PER_HOST: usize = 16;
const MAX_HEADERS: usize = 64;

/// Where a message goes, and who signs it.
#[derive(Debug, Clone)]
pub struct Target {
    /// May contain credentials.
    pub url: Url,
    /// Each of them signs.
    pub secrets: Vec<Secret>,
}

#[derive(Debug, Clone)]
pub struct Message {
    /// Stays the same when a message is sent again. Visible ASCII.
    pub id: String,
    /// When this attempt was made, in seconds since 1970, by the database's clock.
    pub timestamp: i64,
    /// JSON.
    pub body: Bytes,
    /// W3C Trace Context.
    pub traceparent: Option<String>,
}

#[derive(Debug)]
pub struct Sent {
    pub outcome: Outcome,
    /// Until the response was read, or until the failure.
    pub latency: Duration,
}

#[derive(Debug)]
pub enum Outcome {
    Answered(Answer),
    Failed(SendError),
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// The first 2 KiB of the body, as far as they came in time, without zero characters.
    pub start: String,
    /// The wait asked for by `Retry-After`, of at most a day.
    pub retry_after: Option<Duration>,
}

/// Why there is no response. The text has no URL, only the host and what the network said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Refused(Refused),
    #[error("{0}")]
    NotResolved(Refused),
    #[error("cannot connect, or the connection was lost: {0}")]
    Unreachable(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("no response within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the response is not HTTP: {0}")]
    NotHttp(String),
}

impl Sent {
    /// Only a 2xx is one.
    pub fn is_success(&self) -> bool {
        matches!(&self.outcome, Outcome::Answered(answer) if answer.status.is_success())
    }
}

impl SendError {
    /// A stable slug, for columns and labels.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NotResolved(_) => "not_resolved",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls",
            Self::TimedOut(_) => "timed_out",
            Self::NotHttp(_) => "not_http",
        }
    }
}

/// Cheap to clone. Connections to an endpoint are kept for the next message.
#[derive(Debug, Clone)]
pub struct Sender {
    guard: Guard,
    plain: Client,
    encrypted: Client,
    timeout: Duration,
}

impl Sender {
    pub fn new(settings: &NotifySettings) -> reqwest::Result<Self> {
        Self::guarded_by(Guard::new(settings), settings)
    }

    pub fn guarded_by(guard: Guard, settings: &NotifySettings) -> reqwest::Result<Self> {
        let client = |is_plain| {
            guard
                .client(is_plain)
                .user_agent(concat!("Aftercall/", env!("CARGO_PKG_VERSION")))
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(IDLE_PER_HOST)
                .http1_max_headers(MAX_HEADERS)
                .build()
        };
        let (plain, encrypted) = (client(true)?, client(false)?);
        Ok(Self { guard, plain, encrypted, timeout: settings.timeout })
    }

    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Sends the message once; takes at most `notify.timeout`.
    pub async fn send(&self, to: &Target, message: &Message) -> Sent {
        let since = Instant::now();
        let outcome = match self.exchange(to, message, since + self.timeout).await {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Failed(error),
        };
        Sent { outcome, latency: since.elapsed() }
    }

    async fn exchange(
        &self,
        to: &Target,
        message: &Message,
        until: Instant,
    ) -> Result<Answer, SendError> {
        self.guard.vet_literal(&to.url).map_err(SendError::Refused)?;
        let client = if to.url.scheme() == "http" { &self.plain } else { &self.encrypted };
        let Message { id, timestamp, body, traceparent } = message;
        let mut request = client
            .post(to.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(ID, id)
            .header(TIMESTAMP, *timestamp)
            .header(SIGNATURE, signatures(&to.secrets, id, *timestamp, body))
            .body(body.clone());
        if let Some(traceparent) = traceparent {
            request = request.header(TRACEPARENT, traceparent);
        }
        let sent = timeout_at(until, request.send()).await;
        let response = sent.map_err(|_| SendError::TimedOut(self.timeout))?;
        let response = response.map_err(|error| failure(&error))?;
        let (status, retry_after) = (response.status(), http::retry_after(response.headers()));
        let start = start(response, until.min(Instant::now() + BODY_TIMEOUT)).await;
        Ok(Answer { status, start, retry_after })
    }
}

/// The start of the body. The status decides whether the message was received, so a body that is late or breaks off
/// changes nothing.
async fn start(mut response: Response, until: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MOST_KEPT
        && let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await
    {
        let room = MOST_KEPT - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    // Postgres stores no zero characters.
    String::from_utf8_lossy(&bytes).replace('\0', "")
}

fn failure(error: &reqwest::Error) -> SendError {
    if let Some(refused) = find::<Refused>(error) {
        let refused = refused.clone();
        return if refused.is_temporary() {
            SendError::NotResolved(refused)
        } else {
            SendError::Refused(refused)
        };
    }
    let cause = innermost(error).to_string();
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        SendError::NotHttp(cause)
    } else if causes(error).any(is_of_tls) {
        SendError::Tls(cause)
    } else {
        SendError::Unreachable(cause)
    }
}

/// The TLS library reports its errors as invalid data; the connector wraps that in another I/O error, whose `source`
/// passes over it.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<io::Error>() else { return false };
    error.kind() == io::ErrorKind::InvalidData
        || error.get_ref().is_some_and(|inner| is_of_tls(inner))
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &'a (dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        error.source()
    })
}

fn find<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The one that says the most.
fn innermost(error: &reqwest::Error) -> &(dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}
