//! How long a request wants its response delayed: `?wait=30` or `Prefer: wait=30` (RFC 7240).
use std::time::Duration;

use axum::http::{HeaderMap, Uri};
use serde::Deserialize;
use url::form_urlencoded;

const MOST_SECONDS: u64 = 60;

/// Whole seconds, up to 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Wait(u64);

impl Wait {
    pub fn seconds(self) -> u64 {
        self.0
    }

    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// The first `wait` of `Prefer`, capped at 60 seconds. An invalid preference is ignored.
    pub fn preferred(headers: &HeaderMap) -> Option<Self> {
        let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let mut pairs = preferences
            .flat_map(|list| list.split(','))
            .filter_map(|preference| preference.split(';').next()?.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
        seconds(bare).map(|seconds| Self(seconds.min(MOST_SECONDS)))
    }

    /// The wait requested either way; none if the parameter is invalid.
    pub fn asked(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let given = query.find(|(name, _)| name == "wait");
        match given {
            Some((_, text)) => Self::try_from(text.into_owned()).ok(),
            None => Self::preferred(headers),
        }
    }
}

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = seconds(&text).filter(|seconds| *seconds <= MOST_SECONDS).map(Self);
        known.ok_or_else(|| format!("must be a whole number of seconds from 0 to {MOST_SECONDS}"))
    }
}

/// Digits only: `parse` would accept a sign.
fn seconds(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred(values: &[&str]) -> Option<u64> {
        let headers =
            values.iter().map(|value| ("prefer".parse().unwrap(), value.parse().unwrap()));
        Wait::preferred(&headers.collect()).map(Wait::seconds)
    }

    #[test]
    fn a_preference_is_read_as_rfc_7240_writes_it() {
        assert_eq!(preferred(&["wait=30"]), Some(30));
        assert_eq!(preferred(&["respond-async, Wait = \"10\"; strict"]), Some(10));
        assert_eq!(preferred(&["handling=lenient", "wait=5", "wait=6"]), Some(5));
        assert_eq!(preferred(&["wait=3600"]), Some(60));
        for not_understood in ["", "wait", "wait=", "wait=-1", "wait=+1", "wait=1.5", "await=5"] {
            assert_eq!(preferred(&[not_understood]), None, "{not_understood}");
        }
    }

    #[test]
    fn the_parameter_goes_before_the_preference() {
        let headers =
            HeaderMap::from_iter([("prefer".parse().unwrap(), "wait=9".parse().unwrap())]);
        let asked = |uri: &'static str| Wait::asked(&Uri::from_static(uri), &headers);
        assert_eq!(asked("/v1/jobs/1?wait=7").map(Wait::seconds), Some(7));
        assert_eq!(asked("/v1/jobs/1?limit=7").map(Wait::seconds), Some(9));
        assert_eq!(asked("/v1/jobs/1?wait=61"), None);
    }
}
