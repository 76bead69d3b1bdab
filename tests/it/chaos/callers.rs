//! Internal apps: they submit calls, and retry with the same key until they get confirmation.
use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::media;
use crate::support::{Pace, eventually_at};

/// Concurrent requests.
const CALLERS: u32 = 12;
/// One in this many requests is sent again although it got a response.
const FORGETFUL: u32 = 9;

const PACE: Pace = Pace { look_every: Duration::from_millis(50), timeout: Duration::from_mins(5) };

/// The job that each key returned.
pub type Receipts = BTreeMap<String, Uuid>;

/// Where and as whom calls are submitted.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The REST API of each replica.
    pub replicas: [String; 2],
    pub key: String,
    pub media: String,
}

impl Desk {
    /// Submits calls 0 to `calls`.
    pub async fn hand_over(&self, calls: u32) -> Receipts {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let http = http.build().unwrap();
        let callers =
            (0..CALLERS).map(|first| self.series(&http, (first..calls).step_by(CALLERS as usize)));
        join_all(callers).await.into_iter().flatten().collect()
    }

    /// Retries every job that did not end well. Requests without a response are repeated, which may cause one retry
    /// more.
    pub async fn ask_again(&self) {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let http = http.build().unwrap();
        for id in self.ended_badly(&http).await {
            self.asked(&http, |http, api| http.post(format!("{api}/v1/jobs/{id}/retry"))).await;
        }
    }

    async fn ended_badly(&self, http: &reqwest::Client) -> Vec<Uuid> {
        let mut ids = Vec::new();
        let mut cursor = String::new();
        loop {
            let query = format!("status=failed&status=timed_out&limit=200{cursor}");
            let page =
                self.asked(http, |http, api| http.get(format!("{api}/v1/jobs?{query}"))).await;
            let jobs = page["data"].as_array().unwrap();
            ids.extend(jobs.iter().map(|job| job["id"].as_str().unwrap().parse::<Uuid>().unwrap()));
            let Some(next) = page["nextCursor"].as_str() else { return ids };
            cursor = format!("&cursor={next}");
        }
    }

    /// The response of the first replica that can give one.
    async fn asked(
        &self,
        http: &reqwest::Client,
        request: impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder,
    ) -> Value {
        let mut replicas = self.replicas.iter().cycle();
        eventually_at(PACE, "an answer", async || {
            let request = request(http, replicas.next().unwrap()).bearer_auth(&self.key);
            let answer = request.send().await.ok().filter(|answer| answer.status() != 503)?;
            // A retry that was processed, but whose response was lost.
            let is_sound = answer.status().is_success() || answer.status() == StatusCode::CONFLICT;
            assert!(is_sound, "{:?}", answer.text().await);
            answer.json().await.ok()
        })
        .await
    }

    /// Submits one call after another.
    async fn series(&self, http: &reqwest::Client, calls: impl Iterator<Item = u32>) -> Receipts {
        let mut receipts = Receipts::new();
        for call in calls {
            let key = format!("key-{call}");
            let id = self.submit(http, call, &key).await;
            if call % FORGETFUL == 0 {
                assert_eq!(self.submit(http, call, &key).await, id, "{key}");
            }
            receipts.insert(key, id);
        }
        receipts
    }

    /// The job's id, once any replica has confirmed it.
    async fn submit(&self, http: &reqwest::Client, call: u32, key: &str) -> Uuid {
        let body = media::request(&self.media, call);
        let mut tries = call;
        eventually_at(PACE, key, async || {
            let replica = &self.replicas[usize::try_from(tries).unwrap() % self.replicas.len()];
            tries += 1;
            let request = http.post(format!("{replica}/v1/jobs")).bearer_auth(&self.key);
            let sent = request.header("idempotency-key", key).json(&body).send().await;
            // The replica is gone, or has no database: try the other one.
            let answer = sent.ok().filter(|answer| answer.status() != 503)?;
            assert_eq!(answer.status(), StatusCode::ACCEPTED, "{key}: {:?}", answer.text().await);
            let job: Value = answer.json().await.ok()?;
            Some(job["id"].as_str().unwrap().parse().unwrap())
        })
        .await
    }
}
