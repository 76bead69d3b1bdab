//! Delivers a result to its webhook until it is acknowledged, applying the requested faults.
//!
//! Source: `RingCentral` guide, 2023 and later: only status 200 acknowledges; otherwise there are up to five
//! redeliveries with exponential backoff. The intervals and the timeout are our own choice.
use std::{io::Write as _, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use url::Url;

use super::{
    Emulator,
    faults::SandboxFault,
    ledger::{Job, Sending, Try},
    now, request, status,
};
use crate::{
    config::{Acknowledge, Envelope},
    provider::wire,
};

/// Bytes of padding that the fault `large` adds.
const PADDING: usize = 5 << 20;

pub async fn run(emulator: &Emulator, job: Job, mut delivered: Option<oneshot::Sender<()>>) {
    let settings = &emulator.settings;
    let Some(url) = job.webhook.as_deref().and_then(request::web_address) else { return };
    hold(emulator, &job).await;
    let courier =
        Courier { emulator, job: &job, url: &url, message: Callback::new(emulator, &job) };
    let mut acknowledged_by = None;
    for number in job.tries + 1..=settings.delivery_attempts {
        if number > job.tries + 1 {
            tokio::time::sleep(backoff(settings.delivery_backoff, number - 1)).await;
        }
        let answer = courier.send(number).await;
        if let Some(delivered) = delivered.take() {
            // There is no receiver unless the delivery must precede the 202.
            let _ = delivered.send(());
        }
        let is_acknowledged =
            answer.is_some_and(|answer| acknowledges(answer, settings.acknowledge));
        let is_done = is_acknowledged || (answer.is_none() && !settings.retry_unreachable);
        courier.note(number, answer, is_done || number == settings.delivery_attempts).await;
        if is_done {
            acknowledged_by = is_acknowledged.then_some(number);
            break;
        }
    }
    emulator.delivered.notify_waiters();
    if let (Some(number), true) = (acknowledged_by, job.faults.contains(&SandboxFault::Duplicate)) {
        let answer = courier.send(number + 1).await;
        courier.note(number + 1, answer, true).await;
    }
}

/// Delays a late delivery, and a reordered one until another job's result has overtaken it.
async fn hold(emulator: &Emulator, job: &Job) {
    let late = emulator.settings.late_by;
    if job.faults.contains(&SandboxFault::Late) {
        tokio::time::sleep(late).await;
    }
    if job.faults.contains(&SandboxFault::Reordered) {
        // A timeout is fine: there was no other delivery to wait for.
        let _ = tokio::time::timeout(late, emulator.delivered.notified()).await;
    }
}

fn acknowledges(answer: u16, rule: Acknowledge) -> bool {
    match rule {
        Acknowledge::Exactly200 => answer == 200,
        Acknowledge::AnySuccess => (200..300).contains(&answer),
    }
}

/// Wait after `tries` tries: `first`, doubled for each further try.
fn backoff(first: Duration, tries: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
}

/// Sends one result to one webhook and records each try.
struct Courier<'a> {
    emulator: &'a Emulator,
    job: &'a Job,
    url: &'a Url,
    message: Callback,
}

impl Courier<'_> {
    /// Status of the response; `None` when there was none.
    async fn send(&self, number: u32) -> Option<u16> {
        let body = self.message.body(number);
        let sending = Sending {
            at: now(),
            number,
            bytes: body.len(),
            sha256: BASE64_STANDARD.encode(Sha256::digest(body)),
        };
        let kept = self.emulator.ledger.sending(&self.job.id, sending).await;
        self.report(kept);
        self.message.post(self.emulator.webhooks.to(self.url), self.url, body).await
    }

    async fn note(&self, number: u32, answer: Option<u16>, settled: bool) {
        let provider_job_id = &self.job.id;
        tracing::info!(provider_job_id, number, answer, settled, "sandbox: delivery attempted");
        let delivery = Try { at: now(), number, answer, settled };
        self.report(self.emulator.ledger.delivered(provider_job_id, delivery).await);
    }

    fn report(&self, kept: anyhow::Result<()>) {
        if let Err(error) = kept {
            let error = format!("{error:#}");
            tracing::error!(provider_job_id = self.job.id, %error, "sandbox: cannot record the delivery");
        }
    }
}

struct Callback {
    headers: HeaderMap,
    body: Vec<u8>,
    is_chunked: bool,
    is_first_truncated: bool,
}

impl Callback {
    fn new(emulator: &Emulator, job: &Job) -> Self {
        let has = |fault| job.faults.contains(&fault);
        let mut value = status::envelope(job, emulator.settings.retention);
        let bare = [SandboxFault::NoJobId, SandboxFault::SameBody];
        if emulator.settings.envelope == Envelope::Bare || bare.into_iter().any(has) {
            value = json!({ "status": value["status"], "response": value["response"] });
        }
        if has(SandboxFault::WrongTypes) {
            swap_types(&mut value["response"]);
        }
        if has(SandboxFault::Large) {
            value["padding"] = json!("x".repeat(PADDING));
        }
        let mut body = value.to_string().into_bytes();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if has(SandboxFault::Gzip) {
            body = gzipped(&body);
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let (true, Ok(id)) = (emulator.settings.request_id_header, job.request_id.parse()) {
            headers.insert(HeaderName::from_static(wire::REQUEST_ID), id);
        }
        let (is_chunked, is_first_truncated) =
            (has(SandboxFault::Chunked), has(SandboxFault::Truncated));
        Self { headers, body, is_chunked, is_first_truncated }
    }

    /// The body of this delivery. A truncated result breaks off in the middle on its first delivery.
    fn body(&self, number: u32) -> &[u8] {
        let is_truncated = self.is_first_truncated && number == 1;
        if is_truncated { &self.body[..self.body.len() / 2] } else { &self.body }
    }

    async fn post(&self, client: &reqwest::Client, url: &Url, body: &[u8]) -> Option<u16> {
        let body = if self.is_chunked {
            let pieces: Vec<_> =
                body.chunks(1024).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
            reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
        } else {
            body.to_vec().into()
        };
        let sent = client.post(url.clone()).headers(self.headers.clone()).body(body).send().await;
        match sent {
            Ok(response) => Some(response.status().as_u16()),
            Err(error) => {
                let error = anyhow::Error::from(error.without_url());
                tracing::warn!(error = %format!("{error:#}"), "no answer to a delivery");
                None
            }
        }
    }
}

/// Turns numbers into strings, as the provider's own schema declares them, and `speakerId` into a number.
fn swap_types(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.to_string()),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match (name.as_str(), &member) {
                    ("speakerId", Value::String(id)) => {
                        *member = id.parse::<u32>().map_or(Value::Null, |id| json!(id));
                    }
                    _ => swap_types(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(swap_types),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_acknowledges_unless_the_settings_are_lenient() {
        let of = |rule| [200, 201, 204, 302, 500].map(|answer| acknowledges(answer, rule));
        assert_eq!(of(Acknowledge::Exactly200), [true, false, false, false, false]);
        assert_eq!(of(Acknowledge::AnySuccess), [true, true, true, false, false]);
    }

    #[test]
    fn the_wait_doubles() {
        let waits: Vec<u64> =
            (1..=5).map(|tries| backoff(Duration::from_secs(1), tries).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16]);
    }
}
