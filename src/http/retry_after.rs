//! The wait that a response requests of us.
use std::time::{Duration, SystemTime};

use axum::http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use chrono::DateTime;

/// Upper bound for any requested wait, so that a mistake on their side cannot stop us for years.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The wait requested by `Retry-After`, as seconds or as a date (RFC 9110, 10.2.3).
///
/// A date is compared with the response's own `Date`, so that clock differences do not matter, and
/// with our clock only when there is none.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?;
    if let Ok(secs) = value.parse() {
        return Some(Duration::from_secs(secs).min(LONGEST_WAIT));
    }
    let until = SystemTime::from(DateTime::parse_from_rfc2822(value).ok()?);
    let now = text(headers, DATE)
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        .map_or_else(SystemTime::now, SystemTime::from);
    Some(until.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
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
}
