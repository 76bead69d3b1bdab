//! The stub provider: its responses, and the requests it received.
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aftercall::provider::{Client, Credentials, wire};
use serde_json::json;
use url::Url;
use wiremock::{
    Mock, Respond, ResponseTemplate,
    matchers::{method, path, path_regex},
};

use super::TestApp;

impl TestApp {
    /// From now on the stub gives this response.
    pub async fn stub(&self, verb: &str, route: &str, answer: impl Respond + 'static) {
        let priority = self.priority.fetch_sub(1, Ordering::Relaxed);
        let mock = Mock::given(method(verb)).and(path(route)).respond_with(answer);
        mock.with_priority(priority).mount(&self.provider).await;
    }

    /// From now on submissions get this response.
    pub async fn answer_submissions(&self, answer: impl Respond + 'static) {
        self.stub("POST", wire::ANALYZE_PATH, answer).await;
    }

    /// From now on submissions are accepted as `rc-1`, `rc-2` …
    pub async fn accept_submissions(&self) {
        let count = AtomicUsize::new(0);
        let accept = move |_: &wiremock::Request| {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            ResponseTemplate::new(202).set_body_json(json!({ "jobId": format!("rc-{number}") }))
        };
        let priority = self.priority.fetch_sub(1, Ordering::Relaxed);
        let mock = Mock::given(method("POST")).and(path(wire::ANALYZE_PATH)).respond_with(accept);
        mock.with_priority(priority).mount(&self.provider).await;
    }

    /// From now on polls for any job get this response.
    pub async fn answer_polls(&self, answer: ResponseTemplate) {
        let priority = self.priority.fetch_sub(1, Ordering::Relaxed);
        let route = format!("^{}/", wire::STATUS_PATH);
        let mock = Mock::given(method("GET")).and(path_regex(route)).respond_with(answer);
        mock.with_priority(priority).mount(&self.provider).await;
    }

    /// Submissions that reached the stub, oldest first.
    pub async fn submissions(&self) -> Vec<wiremock::Request> {
        self.requests(|path| path == wire::ANALYZE_PATH).await
    }

    /// Polls that reached the stub.
    pub async fn polls(&self) -> Vec<wiremock::Request> {
        self.requests(|path| path.starts_with(wire::STATUS_PATH)).await
    }

    async fn requests(&self, wanted: impl Fn(&str) -> bool) -> Vec<wiremock::Request> {
        let all = self.provider.received_requests().await.unwrap();
        all.into_iter().filter(|request| wanted(request.url.path())).collect()
    }
}

/// Path of the webhook URL in a submission.
pub fn webhook_of(submission: &wiremock::Request) -> String {
    webhook_path(&submission.url)
}

/// Path of the webhook URL in the URL of a submission, without the path of our public base URL,
/// which a proxy would strip.
pub fn webhook_path(submission: &Url) -> String {
    let (_, url) = submission.query_pairs().find(|(name, _)| name == "webhook").unwrap();
    let path = Url::parse(&url).unwrap().path().to_owned();
    path.strip_prefix("/after%20call").unwrap().to_owned()
}

pub fn client_of(base_url: &str) -> Client {
    let credentials = Credentials {
        client_id: "app".into(),
        client_secret: "client-secret".into(),
        jwt: "jwt-credential".into(),
    };
    Client::new(&Url::parse(base_url).unwrap(), credentials, Duration::from_secs(20)).unwrap()
}
