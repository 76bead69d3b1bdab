//! A span for each request to the provider.
use reqwest::{RequestBuilder, Response};
use tracing::Instrument as _;

use crate::telemetry::{self, tag};

/// Sends the request in a span that ends with the head of the response. `resent`: how often it was sent before.
///
/// The request does not tell the provider about the trace: it would not be continued there, and ids of ours are none of
/// its business.
pub async fn send(
    request: RequestBuilder,
    operation: &'static str,
    resent: u32,
) -> reqwest::Result<Response> {
    let (client, request) = request.build_split();
    let request = request?;
    let span = tracing::info_span!("call");
    tag(&span, telemetry::OPERATION, operation);
    tag(&span, telemetry::METHOD, request.method().to_string());
    // Nothing else of the URL: its query has the webhook's token.
    tag(&span, telemetry::SERVER, request.url().host_str().unwrap_or_default().to_owned());
    if resent > 0 {
        tag(&span, telemetry::RESENT, i64::from(resent));
    }
    let answer = client.execute(request).instrument(span.clone()).await;
    match &answer {
        Ok(response) => tag(&span, telemetry::STATUS, i64::from(response.status().as_u16())),
        Err(error) => tag(&span, telemetry::ERROR, kind(error)),
    }
    answer
}

fn kind(error: &reqwest::Error) -> &'static str {
    match error {
        _ if error.is_connect() => "connect",
        _ if error.is_timeout() => "timeout",
        _ => "request",
    }
}
