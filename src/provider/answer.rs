//! Reads an HTTP response of the provider: rate headers, waits and a body of bounded size.
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName};

use super::wire;

/// What a response says about our call budget; `None` where it says nothing.
///
/// Source: RingCentral's guide on rate limits, headers `X-Rate-Limit-*`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// Calls allowed per `window`.
    pub limit: Option<u32>,
    /// Calls left in the current window.
    pub remaining: Option<u32>,
    pub window: Option<Duration>,
}

impl RateHeaders {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let number = |name: &'static str| -> Option<u32> {
            text(headers, &HeaderName::from_static(name))?.parse().ok()
        };
        Self {
            limit: number(wire::RATE_LIMIT),
            remaining: number(wire::RATE_REMAINING),
            window: number(wire::RATE_WINDOW).map(|secs| Duration::from_secs(secs.into())),
        }
    }

    /// Drops the calls left, which a penalty sets to 0 regardless of usage; `Retry-After` tells how
    /// long it lasts.
    pub(super) fn in_penalty(self) -> Self {
        Self { remaining: None, ..self }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

/// Why a body could not be read completely.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLarge,
    Lost(reqwest::Error),
}

/// Reads at most `limit` bytes, so that no response can exhaust memory.
pub(super) async fn body(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let mut whole = BytesMut::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| BodyError::Lost(error.without_url()))?
    {
        if whole.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn rate_headers_that_make_no_sense_are_left_out() {
        let read = RateHeaders::read(&headers(&[
            ("x-rate-limit-limit", "10"),
            ("x-rate-limit-remaining", "many"),
            ("x-rate-limit-window", "60"),
        ]));
        let expected =
            RateHeaders { limit: Some(10), remaining: None, window: Some(Duration::from_mins(1)) };
        assert_eq!(read, expected);
    }
}
