//! The two calls we make: submit a recording, and get the status of a job.
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::answer::{self, BodyError, RateHeaders};
use super::auth::{AccessToken, AccessTokens, Credentials, TokenError};
use super::errors::{ProviderError, ResponseBytes, StatusError, SubmitError};
use super::media_hosts::MediaHosts;
use super::refusal::{self, RefusalCause};
use super::result::{self, Message};
use super::secrets::Secrets;
use super::{call_span, wire};
use crate::{
    config, http,
    jobs::WebhookUrl,
    metrics::{Metrics, Operation},
};

const SUBMIT_LIMIT: usize = 1 << 20;
const STATUS_LIMIT: usize = 64 << 20;
const LONGEST_CONNECT: Duration = Duration::from_secs(10);
/// Shorter than the keep-alive of common servers: if a connection dies during a submission its outcome is unknown,
/// whereas a new connection costs only a handshake.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);
/// Longest job id accepted; the published ones are UUIDs.
const LONGEST_ID: usize = 200;

/// Calls the provider for one app and user. Cheap to clone; clones share the access token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    root: Url,
    timeout: Duration,
    tokens: Arc<AccessTokens>,
    media_hosts: MediaHosts,
    metrics: Metrics,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.root.host_str()).finish_non_exhaustive()
    }
}

/// The provider accepted a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// `None` from services of 2022, which responded without a body: only the webhook delivers the result.
    pub job_id: Option<String>,
    pub rate: RateHeaders,
}

/// The status of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusAnswer {
    pub message: Message,
    /// The response byte for byte, for storage.
    pub body: Bytes,
    pub rate: RateHeaders,
}

/// A response that is no longer about our token, and the token it was given for.
struct CallResponse {
    status: StatusCode,
    rate: RateHeaders,
    retry_after: Option<Duration>,
    token: AccessToken,
    response: Response,
}

enum CallError {
    Token(TokenError),
    Http(reqwest::Error),
}

impl Client {
    /// `timeout` bounds each request; a whole call, including its token requests, takes at most twice that.
    ///
    /// # Errors
    /// When the TLS backend cannot be set up.
    pub fn new(
        base_url: &Url,
        credentials: Credentials,
        timeout: Duration,
    ) -> reqwest::Result<Self> {
        let builder = reqwest::Client::builder();
        let builder = if config::is_here(base_url) { builder.no_proxy() } else { builder };
        let http = builder
            .user_agent(concat!("Aftercall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(LONGEST_CONNECT.min(timeout / 2))
            .timeout(timeout)
            .pool_idle_timeout(IDLE_CONNECTION)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()?;
        let tokens = AccessTokens::new(
            http.clone(),
            endpoint(base_url, wire::TOKEN_PATH),
            timeout,
            credentials,
        );
        let (tokens, root) = (Arc::new(tokens), base_url.clone());
        let (media_hosts, metrics) = (MediaHosts::default(), Metrics::default());
        Ok(Self { http, root, timeout, tokens, media_hosts, metrics })
    }

    /// A client for another account, which shares the connections.
    #[must_use]
    pub fn with_account(&self, base_url: Option<&Url>, credentials: Credentials) -> Self {
        let root = base_url.unwrap_or(&self.root).clone();
        let url = endpoint(&root, wire::TOKEN_PATH);
        let tokens = AccessTokens::new(self.http.clone(), url, self.timeout, credentials);
        Self { root, tokens: Arc::new(tokens), ..self.clone() }
    }

    /// The same client, recording its requests in these metrics.
    #[must_use]
    pub fn recording(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same client, which lets the provider fetch recordings from these hosts of its own.
    #[must_use]
    pub fn granting(self, media_hosts: MediaHosts) -> Self {
        Self { media_hosts, ..self }
    }

    /// Name of the provider's host, for people.
    pub fn host(&self) -> &str {
        self.root.host_str().unwrap_or_default()
    }

    /// Replaces the credentials for all clones. Calls in progress are not affected.
    pub async fn replace_credentials(&self, credentials: Credentials) {
        self.tokens.replace_credentials(credentials).await;
    }

    /// Submits a recording; the result arrives at `webhook`, possibly before this returns.
    ///
    /// `request_body` is sent as given, except for a recording on one of the media hosts, whose URL gets the access token. Every 202 means accepted, even without a readable body; so does any other 2xx
    /// whose body is empty or a JSON object. Source: RingCentral's guide, `POST
    /// /ai/insights/v1/async/analyze-interaction?webhook=…`.
    ///
    /// # Errors
    /// Each variant of [`SubmitError`] requires a different reaction of the caller; see there.
    pub async fn submit(
        &self,
        request_body: &Map<String, Value>,
        webhook: &WebhookUrl,
    ) -> Result<Accepted, SubmitError> {
        let url = endpoint(&self.root, wire::ANALYZE_PATH);
        let query = [("webhook", webhook.reveal())];
        let request = |token: &AccessToken| {
            let granted = self.media_hosts.granted(request_body, token.expose());
            let body = granted.as_ref().unwrap_or(request_body);
            self.http.post(url.clone()).query(&query).json(body)
        };
        let answer = self.call(Operation::Submit, request).await.map_err(submit_failure)?;
        let CallResponse { status, rate, retry_after, token, response } = answer;
        let content_uri = request_body.get("contentUri").and_then(Value::as_str);
        let secrets = Secrets::of_request(webhook, token.expose(), content_uri);
        let body = answer::body(response, SUBMIT_LIMIT).await;
        if status.is_success() {
            let errors = Vec::new();
            let broken = SubmitError::Broken { status, errors, retry_after, rate };
            return accepted(status, body.as_deref(), rate, &secrets).ok_or(broken);
        }
        let errors = ProviderError::list_from_bytes(&body.unwrap_or_default());
        let errors: Vec<_> = errors.into_iter().map(|error| error.without(&secrets)).collect();
        let has_content = request_body.contains_key("content");
        Err(match RefusalCause::of_submission(status, &errors, has_content) {
            RefusalCause::Request => SubmitError::Refused { status, errors, rate },
            RefusalCause::Credentials => {
                SubmitError::Unauthorized { status: Some(status), errors, rate: Some(rate) }
            }
            RefusalCause::Address => SubmitError::Misdirected { status, errors, rate },
            RefusalCause::Limit => SubmitError::Throttled { retry_after, rate },
            RefusalCause::Outage => SubmitError::Broken { status, errors, retry_after, rate },
        })
    }

    /// Gets the status of a job. Counts as much toward the call budget as a submission.
    ///
    /// Source: RingCentral's guide and OpenAPI document, `GET /ai/status/v1/jobs/{jobId}`.
    ///
    /// # Errors
    /// [`StatusError::UnknownJob`] is about the job; all others are about the request.
    pub async fn status(&self, provider_job_id: &str) -> Result<StatusAnswer, StatusError> {
        let mut url = endpoint(&self.root, wire::STATUS_PATH);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(provider_job_id);
        }
        let request = |_: &AccessToken| self.http.get(url.clone());
        let answer = self.call(Operation::Status, request).await.map_err(status_failure)?;
        let CallResponse { status, rate, retry_after, token, response } = answer;
        let body = match answer::body(response, STATUS_LIMIT).await {
            Ok(body) => body,
            Err(BodyError::Lost(error)) if status.is_success() => {
                return Err(StatusError::Unreachable(error));
            }
            Err(BodyError::TooLarge) if status.is_success() => {
                return Err(StatusError::TooLarge { limit: STATUS_LIMIT, rate });
            }
            Err(_) => Bytes::new(),
        };
        if status.is_success() {
            return match result::parse(&body) {
                Ok(message) => Ok(StatusAnswer { message, body, rate }),
                Err(why) => Err(StatusError::Unreadable { why, body: ResponseBytes(body), rate }),
            };
        }
        let secrets = Secrets::of_bearer(token.expose());
        let errors = ProviderError::list_from_bytes(&body);
        let errors: Vec<_> = errors.into_iter().map(|error| error.without(&secrets)).collect();
        Err(match (status, RefusalCause::of_any(status, &errors)) {
            (StatusCode::BAD_REQUEST, _) => StatusError::UnknownJob { status, errors, rate },
            (StatusCode::NOT_FOUND, _) if refusal::is_about_job(&errors, &body) => {
                StatusError::UnknownJob { status, errors, rate }
            }
            (StatusCode::UNAUTHORIZED, _) => {
                StatusError::Unauthorized { code: first_code(errors), rate: Some(rate) }
            }
            (_, RefusalCause::Limit) => StatusError::Throttled { retry_after, rate },
            (_, RefusalCause::Outage) => StatusError::Broken { status, retry_after, rate },
            _ => StatusError::Refused { status, errors, rate },
        })
    }

    /// Sends the request, and sends it again with a new token if the first one is rejected.
    async fn call(
        &self,
        operation: Operation,
        request: impl Fn(&AccessToken) -> RequestBuilder,
    ) -> Result<CallResponse, CallError> {
        let deadline = Instant::now() + 2 * self.timeout;
        let first = self.send(operation, 0, &request, deadline).await?;
        if first.status != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        self.tokens.invalidate(&first.token).await;
        self.send(operation, 1, &request, deadline).await
    }

    async fn send(
        &self,
        operation: Operation,
        resent: u32,
        request: impl Fn(&AccessToken) -> RequestBuilder,
        deadline: Instant,
    ) -> Result<CallResponse, CallError> {
        let token = timeout_at(deadline, self.tokens.current(&self.metrics))
            .await
            .unwrap_or(Err(TokenError::TimedOut))
            .map_err(CallError::Token)?;
        let began = Instant::now();
        let left = deadline.saturating_duration_since(began);
        let request = request(&token).bearer_auth(token.expose()).timeout(left.min(self.timeout));
        let response = call_span::send(request, operation.name(), resent).await;
        let answered = response.as_ref().ok().map(|response| response.status().as_u16());
        self.metrics.called(self.host(), operation, answered, began.elapsed());
        let response = response.map_err(|error| CallError::Http(error.without_url()))?;
        Ok(CallResponse {
            status: response.status(),
            rate: RateHeaders::read(response.headers()),
            retry_after: http::retry_after(response.headers()),
            token,
            response,
        })
    }
}

/// `path` below the base URL, which may have a path of its own. A user name in the URL would become a second
/// `Authorization` header.
fn endpoint(root: &Url, path: &str) -> Url {
    let mut url = root.clone();
    // These fail only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_path(&format!("{}{path}", root.path().trim_end_matches('/')));
    url
}

/// `None` for a success that is not the provider's, such as a proxy's page. A body lost in transit does not undo the
/// acceptance.
fn accepted(
    status: StatusCode,
    body: Result<&[u8], &BodyError>,
    rate: RateHeaders,
    secrets: &Secrets,
) -> Option<Accepted> {
    let read = body.ok().and_then(|body| serde_json::from_slice::<Map<String, Value>>(body).ok());
    let foreign = match body {
        Ok(body) => read.is_none() && !body.trim_ascii().is_empty(),
        Err(BodyError::TooLarge) => true,
        Err(BodyError::Lost(_)) => false,
    };
    if foreign && status != StatusCode::ACCEPTED {
        return None;
    }
    let job_id = read.and_then(|body| match body.get("jobId")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    });
    let usable = |id: &String| {
        !id.is_empty()
            && id.len() <= LONGEST_ID
            && !id.chars().any(char::is_control)
            && !secrets.are_in(id)
    };
    Some(Accepted { job_id: job_id.filter(usable), rate })
}

fn first_code(errors: Vec<ProviderError>) -> String {
    errors.into_iter().next().map_or_else(|| "no code".into(), |error| error.code)
}

fn submit_failure(error: CallError) -> SubmitError {
    match error {
        CallError::Token(TokenError::Refused { code }) => {
            let errors = vec![ProviderError { code, message: String::new(), parameter: None }];
            SubmitError::Unauthorized { status: None, errors, rate: None }
        }
        CallError::Token(error) => SubmitError::TokenUnavailable(error),
        CallError::Http(error) if error.is_builder() || error.is_connect() => {
            SubmitError::Unreachable(error)
        }
        CallError::Http(error) => SubmitError::UnknownFate(error),
    }
}

fn status_failure(error: CallError) -> StatusError {
    match error {
        CallError::Token(TokenError::Refused { code }) => {
            StatusError::Unauthorized { code, rate: None }
        }
        CallError::Token(error) => StatusError::TokenUnavailable(error),
        CallError::Http(error) => StatusError::Unreachable(error),
    }
}
