//! The URL to which the provider delivers results.
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
        let mut url = base.clone();
        let route = Self::ROUTE.replace("{token}", &token.reveal());
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(route.split('/').skip(1));
        }
        Self { url, job_id: token.job_id }
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
        }
    }
}
