//! The hosts of the provider's own recordings, which it serves only to requests with its access token in their query.
//!
//! Source: RingCentral's developer guide: append `?access_token=…` to the `contentUri` of a recording on
//! `media.ringcentral.com`; the analysis sends no header with its request.
use std::sync::Arc;

use serde_json::{Map, Value};
use url::{Host, Url};

const MEMBER: &str = "contentUri";
const PARAMETER: &str = "access_token";

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct MediaHosts(Arc<[String]>);

impl MediaHosts {
    /// Names of hosts, in lower case.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    pub fn have(&self, url: &Url) -> bool {
        matches!(url.host(), Some(Host::Domain(name)) if self.0.iter().any(|host| host == name))
    }

    /// The request with this access token in the URL of its recording; `None` if that is not on one of the hosts, or not
    /// https.
    pub(super) fn granted(
        &self,
        request: &Map<String, Value>,
        token: &str,
    ) -> Option<Map<String, Value>> {
        let mut url = Url::parse(request.get(MEMBER)?.as_str()?).ok()?;
        if url.scheme() != "https" || !self.have(&url) {
            return None;
        }
        let others: Vec<(String, String)> =
            url.query_pairs().into_owned().filter(|(name, _)| name != PARAMETER).collect();
        url.query_pairs_mut().clear().extend_pairs(others).append_pair(PARAMETER, token);
        let mut granted = request.clone();
        granted.insert(MEMBER.to_owned(), String::from(url).into());
        Some(granted)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn granted(uri: &str) -> String {
        let hosts = MediaHosts::new(&["Media.example".to_owned()]);
        let Value::Object(request) = json!({ "contentUri": uri }) else { unreachable!() };
        let granted = hosts.granted(&request, "t|1").unwrap_or(request);
        granted["contentUri"].as_str().unwrap().to_owned()
    }

    #[test]
    fn only_the_hosts_get_the_token_and_only_over_https() {
        for (given, sent) in [
            (
                "https://media.example/r/1/content",
                "https://media.example/r/1/content?access_token=t%7C1",
            ),
            (
                "https://MEDIA.example/r?access_token=old&a=b",
                "https://media.example/r?a=b&access_token=t%7C1",
            ),
            ("http://media.example/r", "http://media.example/r"),
            ("https://media.example.evil/r", "https://media.example.evil/r"),
            ("https://media.example@evil.example/r", "https://media.example@evil.example/r"),
            ("https://evil.example/media.example?a=b", "https://evil.example/media.example?a=b"),
        ] {
            assert_eq!(granted(given), sent);
        }
    }
}
