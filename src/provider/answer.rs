//! Reads an HTTP response of the provider: rate headers, waits and a body of bounded size.
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use super::wire;

/// Upper bound for any requested wait, so that a mistake on their side cannot stop us for years.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

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

/// The wait requested by `Retry-After`, as seconds or as a date (RFC 9110, 10.2.3).
///
/// A date is compared with the response's own `Date`, so that clock differences do not matter, and
/// with our clock only when there is none.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    if let Ok(secs) = value.parse() {
        return Some(Duration::from_secs(secs).min(LONGEST_WAIT));
    }
    let until = SystemTime::from(DateTime::parse_from_rfc2822(value).ok()?);
    let now = text(headers, &DATE)
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        .map_or_else(SystemTime::now, SystemTime::from);
    Some(until.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
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
    fn a_wait_in_seconds_is_read_and_bounded() {
        let wait = |value| retry_after(&headers(&[("retry-after", value)]));
        assert_eq!(wait("17"), Some(Duration::from_secs(17)));
        assert_eq!(wait("999999999999"), Some(LONGEST_WAIT));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }

    #[test]
    fn a_wait_until_a_date_counts_from_the_answers_own_date() {
        let wait = |until| {
            retry_after(&headers(&[
                ("date", "Mon, 05 Jan 2015 10:00:00 GMT"),
                ("retry-after", until),
            ]))
        };
        assert_eq!(wait("Mon, 05 Jan 2015 10:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(wait("Mon, 05 Jan 2015 09:00:00 GMT"), Some(Duration::ZERO));
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
