//! Exports against COPY of the same columns.
use std::time::Instant;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use sqlx::{PgPool, postgres::PgPoolCopyExt as _};

use super::{
    queries::Side,
    report::{Budget, Line, median},
};

const EXPORTS: [(&str, &str); 2] = [
    (
        "jobs",
        "select id, external_id, tags, metadata, request, state, version, completed_via, error, created_at,
            submitted_at, finished_at, deadline_at,
            (select count(*) from aftercall.attempts a where a.job_id = j.id) as attempts
        from aftercall.jobs j",
    ),
    (
        "utterances",
        "select job_id, seq, start_seconds, end_seconds, speaker_id, text, confidence, emotion,
            emotion_confidence from aftercall.utterances",
    ),
];

/// Rows per second of each, in alternating rounds.
pub async fn exports(side: &Side, rounds: u32, mut show: impl FnMut(Line)) -> anyhow::Result<()> {
    for (name, query) in EXPORTS {
        let (mut exported, mut copied) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            copied.push(copy(&side.database.pool, query).await?);
            exported.push(export(side, name).await?);
        }
        let (exported, copied) = (median(exported), median(copied));
        let line =
            Line::figure(format!("export {name}"), exported / copied, "/s", Budget::AtLeast(0.5));
        show(Line {
            measured: exported,
            compared_with: "COPY of the same columns".to_owned(),
            compared: Some(copied),
            ..line
        });
    }
    Ok(())
}

async fn copy(pool: &PgPool, query: &str) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut chunks = pool.copy_out_raw(&format!("copy ({query}) to stdout")).await?;
    let mut rows = 0;
    while let Some(chunk) = chunks.next().await {
        rows += lines(&chunk?);
    }
    Ok(f64::from(rows) / started.elapsed().as_secs_f64())
}

async fn export(side: &Side, name: &str) -> anyhow::Result<f64> {
    let started = Instant::now();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("http://{}/v1/exports/{name}.ndjson", side.service.api);
    let answer =
        client.get(url).bearer_auth(&side.database.key).send().await?.error_for_status()?;
    let mut chunks = answer.bytes_stream();
    let mut rows = 0;
    while let Some(chunk) = chunks.next().await {
        rows += lines(&chunk.context("the export broke off")?);
    }
    Ok(f64::from(rows) / started.elapsed().as_secs_f64())
}

#[expect(clippy::naive_bytecount, reason = "a fraction of what is measured")]
fn lines(chunk: &[u8]) -> u32 {
    u32::try_from(chunk.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX)
}
