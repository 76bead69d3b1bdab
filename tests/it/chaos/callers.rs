//! Internal apps: they hand over calls, and try again with the same key until they hear that it is
//! kept.
use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::media;
use crate::support::{Pace, eventually_at};

/// Requests in flight at once.
const CALLERS: u32 = 12;
/// One in so many is sent again although it was answered.
const FORGETFUL: u32 = 9;

const PACE: Pace = Pace { look_every: Duration::from_millis(50), patience: Duration::from_mins(5) };

/// The job that each key was given.
pub type Receipts = BTreeMap<String, Uuid>;

/// Where calls are handed over.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The REST API of each replica.
    pub replicas: [String; 2],
    pub key: String,
    pub media: String,
}

impl Desk {
    /// Hands over calls 0 to `calls`.
    pub async fn hand_over(&self, calls: u32) -> Receipts {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let http = http.build().unwrap();
        let callers =
            (0..CALLERS).map(|first| self.series(&http, (first..calls).step_by(CALLERS as usize)));
        join_all(callers).await.into_iter().flatten().collect()
    }

    /// Asks for another try of every job that did not end well. Who gets no answer asks again, which may be
    /// one try more.
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

    /// What the first replica says that can answer.
    async fn asked(
        &self,
        http: &reqwest::Client,
        request: impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder,
    ) -> Value {
        let mut replicas = self.replicas.iter().cycle();
        eventually_at(PACE, "an answer", async || {
            let request = request(http, replicas.next().unwrap()).bearer_auth(&self.key);
            let answer = request.send().await.ok().filter(|answer| answer.status() != 503)?;
            // A retry that was heard and not answered.
            let is_sound = answer.status().is_success() || answer.status() == StatusCode::CONFLICT;
            assert!(is_sound, "{:?}", answer.text().await);
            answer.json().await.ok()
        })
        .await
    }

    /// One call after another.
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

    /// The job's id, once any replica has said that it keeps it.
    async fn submit(&self, http: &reqwest::Client, call: u32, key: &str) -> Uuid {
        let body = media::request(&self.media, call);
        let mut tries = call;
        eventually_at(PACE, key, async || {
            let replica = &self.replicas[usize::try_from(tries).unwrap() % self.replicas.len()];
            tries += 1;
            let request = http.post(format!("{replica}/v1/jobs")).bearer_auth(&self.key);
            let sent = request.header("idempotency-key", key).json(&body).send().await;
            // Gone, or without its database: the other one may know better.
            let answer = sent.ok().filter(|answer| answer.status() != 503)?;
            assert_eq!(answer.status(), StatusCode::ACCEPTED, "{key}: {:?}", answer.text().await);
            let job: Value = answer.json().await.ok()?;
            Some(job["id"].as_str().unwrap().parse().unwrap())
        })
        .await
    }
}
