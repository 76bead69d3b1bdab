//! A client for server-sent events.
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, request::Builder},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::{app::TestApp, soon};

/// One block of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    pub id: String,
    pub event: String,
    pub data: Value,
}

impl Message {
    /// Parses the text of one block.
    pub fn read(block: &str) -> Self {
        let mut message = Self::default();
        for line in block.lines() {
            match line.split_once(": ").unwrap() {
                ("id", id) => message.id = id.to_owned(),
                ("event", event) => message.event = event.to_owned(),
                ("data", data) => message.data = serde_json::from_str(data).unwrap(),
                ("", _) => {}
                other => panic!("{other:?}"),
            }
        }
        message
    }

    pub fn seq(&self) -> u64 {
        self.data["seq"].as_u64().unwrap()
    }
}

/// An open stream.
pub struct Stream {
    body: Body,
    text: String,
    /// As kept by an `EventSource`.
    pub last_id: String,
}

impl Stream {
    /// A stream with the key of `app`; it is open when this returns.
    pub async fn open(app: &TestApp, query: &str) -> Self {
        Self::of(&app.api, app.request("GET", &format!("/v1/events{query}"))).await
    }

    /// The same, resumed after `last_id`.
    pub async fn resume(app: &TestApp, api: &Router, query: &str, last_id: &str) -> Self {
        let request = app.request("GET", &format!("/v1/events{query}"));
        Self::of(api, request.header("last-event-id", last_id)).await
    }

    /// The stream that `request` opens at `api`.
    pub async fn of(api: &Router, request: Builder) -> Self {
        let request: Request<Body> = request.body(Body::empty()).unwrap();
        let response = soon("a stream", api.clone().oneshot(request)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new(), last_id: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            while !self.text.contains("\n\n") {
                let frame = soon("an event", self.body.frame()).await?.unwrap();
                self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
            }
            let (block, rest) = self.text.split_once("\n\n").unwrap();
            let message = Message::read(block);
            self.text = rest.to_owned();
            if !message.id.is_empty() {
                self.last_id.clone_from(&message.id);
            }
            if !message.event.is_empty() {
                return Some(message);
            }
        }
    }

    /// The next `count` events.
    pub async fn take(&mut self, count: usize) -> Vec<Message> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.next().await.unwrap());
        }
        taken
    }

    /// Reads a block that only moves the stream's position, such as the first one.
    pub async fn mark(&mut self) -> String {
        let frame = soon("a mark", self.body.frame()).await.unwrap().unwrap();
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        let message = Message::read(text.trim_end());
        assert!(!message.id.is_empty() && message.event.is_empty(), "{text}");
        self.last_id = message.id;
        text
    }
}
