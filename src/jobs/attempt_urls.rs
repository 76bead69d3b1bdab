//! The URLs that the provider is given for one attempt: where it delivers results, and where it fetches the recording if
//! that was uploaded.
use std::fmt;

use url::Url;

use super::{JobId, Token};

/// The webhook URL of one attempt. A secret: anyone who knows it can deliver.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    url: Url,
    job_id: JobId,
}

impl WebhookUrl {
    /// The listener's route, from which every URL is built.
    pub const ROUTE: &str = "/webhooks/{token}";

    /// `base`: the URL at which the provider reaches the listener.
    pub fn new(base: &Url, token: &Token) -> Self {
        Self { url: with_token(base, Self::ROUTE, token), job_id: token.job_id }
    }

    /// For the provider only: never log it.
    pub fn reveal(&self) -> &str {
        self.url.as_str()
    }

    /// The job that its token belongs to.
    pub fn job_id(&self) -> JobId {
        self.job_id
    }
}

/// The URL of an uploaded recording for one attempt. A secret: anyone who knows it can fetch the recording.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaUrl {
    url: Url,
    job_id: JobId,
}

impl MediaUrl {
    /// The listener's route, from which every URL is built.
    pub const ROUTE: &str = "/media/{token}";

    /// `base`: the URL at which the provider reaches the listener.
    pub fn new(base: &Url, token: &Token) -> Self {
        Self { url: with_token(base, Self::ROUTE, token), job_id: token.job_id }
    }

    /// For the provider only: never log it.
    pub fn reveal(&self) -> &str {
        self.url.as_str()
    }
}

impl fmt::Debug for MediaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaUrl({}, …)", self.job_id)
    }
}

fn with_token(base: &Url, route: &str, token: &Token) -> Url {
    let mut url = base.clone();
    let route = route.replace("{token}", &token.reveal());
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(route.split('/').skip(1));
    }
    url
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}, …)", self.job_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_path_and_query_of_the_base_and_shows_no_token() {
        let token = Token::new(JobId::MIN, [7; 32]);
        let secret = token.reveal();
        for (base, url) in [
            ("https://in.example", format!("https://in.example/webhooks/{secret}")),
            (
                "https://in.example/a%20b/?c=d",
                format!("https://in.example/a%20b/webhooks/{secret}?c=d"),
            ),
        ] {
            let webhook = WebhookUrl::new(&Url::parse(base).unwrap(), &token);
            assert_eq!(webhook.reveal(), url);
            let shown = format!("{webhook:?}");
            assert_eq!(shown, "WebhookUrl(00000000-0000-0000-0000-000000000000, …)");
            let media = MediaUrl::new(&Url::parse(base).unwrap(), &token);
            assert_eq!(media.reveal(), url.replace("/webhooks/", "/media/"));
            let shown = format!("{media:?}");
            assert_eq!(shown, "MediaUrl(00000000-0000-0000-0000-000000000000, …)");
        }
    }
}
