//! A client for Aftercall's own API, used by `demo` and `submit`.
use std::{path::Path, time::Duration};

use anyhow::Context as _;
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::config;

const POLL: Duration = Duration::from_millis(200);
const TIMEOUT: Duration = Duration::from_mins(1);
/// Longest `Retry-After` that is waited for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
const UPLOAD_TIMEOUT: Duration = Duration::from_hours(6);

pub struct ApiClient {
    http: reqwest::Client,
    base: String,
    key: SecretString,
}

impl ApiClient {
    /// `base`: the URL of the API, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str, key: SecretString) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder().timeout(TIMEOUT);
        if Url::parse(base).is_ok_and(|base| config::is_here(&base)) {
            builder = builder.no_proxy();
        }
        let http = builder.build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), key })
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Submits a recording; returns the job.
    pub async fn submit(&self, body: &Value) -> anyhow::Result<Value> {
        self.send(self.http.post(format!("{}/v1/jobs", self.base)).json(body)).await
    }

    /// Uploads a recording from a file; returns what is known of it.
    pub async fn upload(&self, path: &Path) -> anyhow::Result<Value> {
        let opened = async {
            let file = tokio::fs::File::open(path).await?;
            let length = file.metadata().await?.len();
            Ok::<_, std::io::Error>((file, length))
        };
        let (file, length) =
            opened.await.with_context(|| format!("cannot read {}", path.display()))?;
        let request = self
            .http
            .post(format!("{}/v1/media", self.base))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, length)
            .timeout(UPLOAD_TIMEOUT)
            .body(file);
        match self.once(request.bearer_auth(self.key.expose_secret())).await {
            Ok(answer) => read(answer).await,
            Err(error) => {
                // A service that rejects the request may close the connection before its response is read. It rejects
                // an empty file too, and for the same reason, unless that was the file.
                let empty = self.http.post(format!("{}/v1/media", self.base));
                match self.send(empty).await {
                    Err(why) if !why.to_string().contains("not-audio") => Err(why),
                    _ => Err(error),
                }
            }
        }
    }

    /// Uploads a recording that is part of the binary.
    pub async fn upload_bytes(&self, recording: &'static [u8]) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}/v1/media", self.base));
        let request = request.header(header::CONTENT_TYPE, "application/octet-stream");
        self.send(request.body(recording)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.http.put(format!("{}{path}", self.base)).json(body)).await
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// All rows of a list, page by page.
    pub async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{separator}limit=200{cursor}")).await?;
            rows.extend(page["data"].as_array().into_iter().flatten().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }

    /// Waits until the job is final, calling `tell` for each state it passes; returns the final
    /// job.
    pub async fn finished(
        &self,
        id: &str,
        mut tell: impl FnMut(Duration, &str),
    ) -> anyhow::Result<Value> {
        let started = Instant::now();
        let mut last = String::new();
        loop {
            let job = self.get(&format!("/v1/jobs/{id}")).await?;
            let state = job["state"].as_str().unwrap_or_default();
            if state != last {
                tell(started.elapsed(), state);
                state.clone_into(&mut last);
            }
            if !matches!(state, "queued" | "submitting" | "submitted") {
                return Ok(job);
            }
            sleep(POLL).await;
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let request = request.bearer_auth(self.key.expose_secret());
        let mut answer = self.sent(&request).await?;
        while let Some(pause) = pause(&answer) {
            sleep(pause).await;
            answer = self.sent(&request).await?;
        }
        read(answer).await
    }

    async fn sent(&self, request: &reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
        self.once(request.try_clone().context("a body that cannot be sent twice")?).await
    }

    async fn once(&self, request: reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        sent.with_context(|| format!("cannot reach Aftercall at {}", self.base))
    }
}

async fn read(answer: reqwest::Response) -> anyhow::Result<Value> {
    let status = answer.status();
    let body: Value = answer.json().await.map_err(reqwest::Error::without_url)?;
    anyhow::ensure!(status.is_success(), refusal(status.as_u16(), &body));
    Ok(body)
}

/// How long to wait before a request that was one too many is sent again; nothing was done.
fn pause(answer: &reqwest::Response) -> Option<Duration> {
    if answer.status() != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|pause| *pause <= LONGEST_PAUSE)
}

/// A problem document for people: the detail and every error.
fn refusal(status: u16, problem: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut message = format!("{status} {}: {}", text(&problem["code"]), text(&problem["detail"]));
    for fault in problem["errors"].as_array().into_iter().flatten() {
        message.push_str("\n  ");
        message.push_str(&[text(&fault["pointer"]), text(&fault["detail"])].join(" "));
    }
    message
}
