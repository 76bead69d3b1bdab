//! One delivery to the public URL, and everything the provider would mind about the response.
use std::{error::Error, fmt, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{Response, StatusCode, tls::TlsInfo};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::certificate;
use crate::{
    config,
    jobs::{Token, WebhookUrl},
    provider::wire,
};

/// The provider waits this long for a response (RingCentral's webhook guide).
pub const SLOWEST: Duration = Duration::from_secs(3);
/// The provider rejects larger responses, headers included (likewise).
pub const LARGEST: usize = 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a test found.
#[derive(Debug, Clone)]
pub struct HookReport {
    /// Time until the whole response was there, or until the test failed.
    pub duration: Duration,
    /// When the server's certificate expires; `None` without TLS.
    pub expires: Option<DateTime<Utc>>,
    /// Size of the response; 0 without one.
    pub bytes: usize,
    /// Most serious first. Never contain the URL.
    pub faults: Vec<HookFault>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookFault {
    /// Its name does not resolve, nothing accepts the connection, or TLS fails.
    Unreachable(String),
    Status(StatusCode),
    TooSlow,
    TooLarge(usize),
    NotEchoed,
}

impl HookFault {
    /// What an operator can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => {
                "check the DNS name, the port, the certificate and the proxy in front of webhook.listen"
            }
            Self::Status(status) => match status.as_u16() {
                300..400 => {
                    "the provider follows no redirects: set webhook.public_url to the final URL"
                }
                404 => {
                    "the URL leads to something else than this service's webhook listener, \
                     or the path is changed on the way"
                }
                502..=504 => {
                    "the proxy does not reach webhook.listen, or the service's database is down"
                }
                _ => "let POST requests to webhook.public_url pass unauthenticated and unchanged",
            },
            Self::TooSlow => "look for a slow proxy, and at the database's load",
            Self::TooLarge(_) => "have the proxy add fewer headers to responses",
            Self::NotEchoed => "have the proxy keep the header Validation-Token in both directions",
        }
    }
}

impl fmt::Display for HookFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "unreachable: {why}"),
            Self::Status(status) => write!(f, "responded with {status} instead of 200"),
            Self::TooSlow => write!(f, "took longer than {} s", SLOWEST.as_secs()),
            Self::TooLarge(bytes) => {
                write!(f, "the response has {bytes} bytes; the provider accepts {LARGEST}")
            }
            Self::NotEchoed => f.write_str("the header Validation-Token did not come back"),
        }
    }
}

/// Delivers once to the URL that the provider would get with this token.
pub async fn probe(base: &Url, token: &Token) -> HookReport {
    let since = Instant::now();
    let echo = Uuid::new_v4().simple().to_string();
    let mut report =
        HookReport { duration: Duration::ZERO, expires: None, bytes: 0, faults: Vec::new() };
    match send(base, token, &echo).await {
        Ok(response) => read(response, &echo, &mut report).await,
        Err(error) => report.faults.push(HookFault::Unreachable(cause(&error))),
    }
    report.duration = since.elapsed();
    if report.duration > SLOWEST && report.bytes > 0 {
        report.faults.push(HookFault::TooSlow);
    }
    report
}

async fn send(base: &Url, token: &Token, echo: &str) -> reqwest::Result<Response> {
    let builder = reqwest::Client::builder();
    let builder = if config::is_here(base) { builder.no_proxy() } else { builder };
    let client = builder
        .user_agent(concat!("Aftercall/", env!("CARGO_PKG_VERSION"), " (self-test)"))
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .tls_info(true)
        .build()?;
    let request = client
        .post(WebhookUrl::new(base, token).reveal())
        .header(wire::VALIDATION_TOKEN, echo)
        .header("content-type", "application/json")
        .body("{}");
    request.send().await.map_err(reqwest::Error::without_url)
}

async fn read(mut response: Response, echo: &str, report: &mut HookReport) {
    let tls = response.extensions().get::<TlsInfo>();
    report.expires = tls.and_then(TlsInfo::peer_certificate).and_then(certificate::not_after);
    let status = response.status();
    let is_echoed = response
        .headers()
        .get(wire::VALIDATION_TOKEN)
        .is_some_and(|value| value.as_bytes() == echo.as_bytes());
    // "HTTP/1.1 200 OK", each header as "name: value", and an empty line.
    let reason = status.canonical_reason().unwrap_or_default().len();
    let line = "HTTP/1.1 200 \r\n\r\n".len() + reason;
    let headers = response.headers().iter();
    report.bytes =
        line + headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    while let Ok(Some(chunk)) = response.chunk().await {
        report.bytes += chunk.len();
        if report.bytes > 16 * LARGEST {
            break;
        }
    }
    if status != StatusCode::OK {
        report.faults.push(HookFault::Status(status));
    } else if !is_echoed {
        report.faults.push(HookFault::NotEchoed);
    }
    if report.bytes > LARGEST && status == StatusCode::OK {
        report.faults.push(HookFault::TooLarge(report.bytes));
    }
}

/// The innermost cause, which says the most.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() {
        format!("no response within {} s", TIMEOUT.as_secs())
    } else {
        cause.to_string()
    }
}
