//! The three calls under load: delivering, submitting, and reading a result.
use std::{ops::Range, sync::Arc};

use uuid::Uuid;

use super::{
    load::{self, Requests, Run},
    payload::Payload,
    report::Sample,
    stand::{Database, Service, Stand},
    store::{SUBMISSION, Store},
};

/// GET requests for these API paths, in turn.
pub fn get(service: &Service, database: &Database, paths: &[String]) -> Requests {
    let head = |path: &String| {
        let key = &database.key;
        format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\r\n")
    };
    Requests {
        address: service.api,
        heads: Arc::new(paths.iter().map(head).collect()),
        body: Arc::default(),
        status: 200,
    }
}

/// A service and its database.
pub struct Subject<'a> {
    pub stand: &'a Stand,
    pub database: &'a Database,
    pub store: &'a Store,
    pub service: &'a Service,
}

impl Subject<'_> {
    /// One delivery for each of these jobs.
    pub fn deliveries(&self, payload: &Payload, jobs: Range<u32>) -> anyhow::Result<Requests> {
        let heads = jobs.map(|n| {
            Ok(format!(
                "POST /webhooks/{} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n",
                self.store.token(n)?,
                payload.body.len()
            ))
        });
        Ok(Requests {
            address: self.service.webhook,
            heads: Arc::new(heads.collect::<anyhow::Result<_>>()?),
            body: Arc::new(payload.body.clone()),
            status: 200,
        })
    }

    pub fn submissions(&self) -> Requests {
        let head = format!(
            "POST /v1/jobs HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.database.key,
            SUBMISSION.len()
        );
        Requests {
            address: self.service.api,
            heads: Arc::new(vec![head]),
            body: Arc::new(SUBMISSION.into()),
            status: 202,
        }
    }

    pub fn reads(&self, jobs: impl IntoIterator<Item = Uuid>) -> Requests {
        let path = |id| format!("/v1/jobs/{id}/result");
        let paths: Vec<String> = jobs.into_iter().map(path).collect();
        get(self.service, self.database, &paths)
    }

    /// Measures maximum throughput, and the CPU time it takes.
    pub async fn load(
        &self,
        requests: &Requests,
        count: u32,
        connections: u32,
    ) -> anyhow::Result<Sample> {
        self.store.settle().await?;
        let before = (self.service.process.used(), self.stand.postgres.used_by_family());
        let run = load::closed(requests, count, connections).await?;
        let service = self.service.process.used().saturating_sub(before.0);
        let postgres = self.stand.postgres.used_by_family().saturating_sub(before.1);
        Ok(Sample::of(&run, count, service, postgres))
    }

    /// Measures latency at half the maximum throughput.
    pub async fn half_load(
        &self,
        requests: &Requests,
        count: u32,
        most: f64,
    ) -> anyhow::Result<Run> {
        self.store.settle().await?;
        load::open(requests, count, 256, most / 2.0).await
    }
}
