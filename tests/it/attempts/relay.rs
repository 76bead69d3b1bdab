//! A relay between the provider and the webhook listener that holds deliveries until a test releases them.
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use reqwest::header::CONTENT_TYPE;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::support::soon;

pub struct Relay {
    pub url: String,
    held: mpsc::UnboundedReceiver<Held>,
}

/// A delivery whose sender waits for the response.
pub struct Held {
    pub path: String,
    pub body: Bytes,
    answer: oneshot::Sender<StatusCode>,
}

impl Relay {
    pub async fn start() -> Self {
        let (sender, held) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(hold).with_state(sender);
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, held }
    }

    /// The next delivery that the provider sends.
    pub async fn next(&mut self) -> Held {
        soon("a delivery", self.held.recv()).await.unwrap()
    }
}

async fn hold(
    State(held): State<mpsc::UnboundedSender<Held>>,
    uri: Uri,
    _headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let (answer, answered) = oneshot::channel();
    let _ = held.send(Held { path: uri.path().to_owned(), body, answer });
    // Dropped without a response, the delivery counts as lost in transit.
    answered.await.unwrap_or(StatusCode::BAD_GATEWAY)
}

impl Held {
    /// Passes it on to the listener at `webhook`, and passes the response back.
    pub async fn let_through(self, http: &reqwest::Client, webhook: &str) {
        let request = http.post(format!("{webhook}{}", self.path));
        let request = request.header(CONTENT_TYPE, "application/json").body(self.body);
        let status = request.send().await.unwrap().status();
        assert_eq!(status, StatusCode::OK);
        self.answer.send(status).unwrap();
    }
}
