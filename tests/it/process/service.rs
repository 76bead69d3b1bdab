//! `aftercall serve`, and a client for its three listeners.
use std::{fs, time::Duration};

use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Ended, Home, Process};
use crate::support::eventually;

#[derive(Debug)]
pub struct Service {
    pub process: Process,
    pub api: String,
    pub webhook: String,
    pub ops: String,
    /// URL of the bundled recording; empty without the sandbox.
    pub recording: String,
    pub key: String,
    pub http: reqwest::Client,
}

impl Service {
    /// Starts the service, waits until it is ready and creates a key for `tester`.
    pub async fn start(home: &Home) -> Self {
        let mut service = Self::without_key(home).await;
        service.key = home.key("tester").await;
        service
    }

    pub async fn without_key(home: &Home) -> Self {
        Self::of(home.start(["serve"])).await
    }

    /// A service that was started in another way.
    pub async fn of(mut process: Process) -> Self {
        let ready = process.logged("ready").await;
        let base = |name: &str| format!("http://{}", ready[name].as_str().unwrap_or_default());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20));
        Self {
            api: base("api"),
            webhook: base("webhook"),
            ops: base("ops"),
            recording: ready["recording"].as_str().unwrap_or_default().to_owned(),
            key: String::new(),
            http: http.build().unwrap(),
            process,
        }
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.api);
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body:#}");
        body
    }

    /// Status of a response of another listener than the API.
    pub async fn status(&self, url: &str) -> StatusCode {
        self.http.get(url).send().await.unwrap().status()
    }

    /// Submits the bundled recording with these additional members; returns the job's id.
    pub async fn submit(&self, members: Value) -> String {
        let mut body = json!({ "contentUri": self.recording, "encoding": "Wav" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let (status, job) = self.send(Method::POST, "/v1/jobs", Some(&body)).await;
        assert_eq!(status, 202, "{job:#}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a recording.
    pub async fn upload(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.http.post(format!("{}/v1/media", self.api)).bearer_auth(&self.key);
        let request = request.header("content-type", "audio/wav").timeout(Duration::from_mins(5));
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The job once `is_so` holds for it.
    pub async fn job_when(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually("another state of the job", async || {
            let job = self.get(&format!("/v1/jobs/{id}")).await;
            is_so(&job).then_some(job)
        })
        .await
    }

    /// The job in its final state.
    pub async fn finished(&self, id: &str) -> Value {
        self.job_when(id, |job| !job["finishedAt"].is_null()).await
    }

    /// Webhook URLs of `count` new jobs whose results the sandbox holds back.
    pub async fn webhooks(&self, home: &Home, count: usize) -> Vec<String> {
        for _ in 0..count {
            self.submit(json!({})).await;
        }
        eventually("all submissions", async || {
            let ledger = fs::read_to_string(home.data().join("sandbox.jsonl")).ok()?;
            let entries =
                ledger.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let urls: Vec<String> =
                entries.filter_map(|entry| Some(entry["webhook"].as_str()?.to_owned())).collect();
            (urls.len() >= count).then_some(urls)
        })
        .await
    }

    /// Asks the process to stop, and waits until it has.
    pub async fn stop(self) -> Ended {
        self.process.signal(Signal::SIGTERM);
        self.process.ended().await
    }
}
