//! Recomputes results of earlier parsers from the deliveries that brought them.
//!
//! Works in batches, each in its own transaction, ordered by job id. The parser version of a result
//! says whether it is done, so a run can be killed and restarted at any time, and several can run
//! concurrently.
use serde_json::json;
use sqlx::PgPool;

use super::batch;
use crate::{
    config::TextLimits,
    deliveries::{self, DeliveryKey},
    insights::{self, DocumentOrigin, Outdated, Prepared},
    jobs::{self, Announcer, EventKind, JobId, Note},
    outcome::Interpretation,
    partitions,
    seal::Seal,
};

/// Results read per query.
const PAGE: i64 = 256;

/// Outcomes of a run.
#[derive(Debug, Default)]
pub struct ReparseSummary {
    pub reparsed: usize,
    /// Left unchanged: the current parser finds no result in the delivery.
    pub unreadable: usize,
    /// Left unchanged: retention has deleted the delivery.
    pub without_delivery: usize,
    /// Rejected by Postgres; the log says why.
    pub failed: usize,
}

/// A result as computed by the current parser.
struct Anew {
    job_id: JobId,
    provider_job_id: Option<String>,
    parser_version: i32,
    prepared: Box<Prepared>,
}

/// How many results [`run`] would examine.
pub async fn count(db: &PgPool, which: &Outdated) -> sqlx::Result<usize> {
    let (mut count, mut after) = (0, JobId::MIN);
    loop {
        let page = insights::outdated(db, which, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        count += page.len();
        after = *last;
    }
}

/// Recomputes all of these results. `limits` apply to each body.
pub async fn run(
    db: &PgPool,
    seal: &Seal,
    which: &Outdated,
    limits: TextLimits,
) -> sqlx::Result<ReparseSummary> {
    let (mut summary, mut after) = (ReparseSummary::default(), JobId::MIN);
    loop {
        let page = insights::outdated(db, which, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(summary) };
        after = *last;
        let places = deliveries::decisive(db, &page).await?;
        summary.without_delivery += page.len() - places.len();
        let mut batches = batch::batches(&places);
        batches.reverse();
        while let Some(batch) = batches.pop() {
            match reparse(db, seal, which, batch, limits).await {
                Ok((reparsed, unreadable)) => {
                    summary.reparsed += reparsed;
                    summary.unreadable += unreadable;
                }
                Err(sqlx::Error::Database(_)) if batch.len() > 1 => {
                    batches.extend(batch.rchunks(1));
                }
                Err(sqlx::Error::Database(error)) => {
                    tracing::error!(%error, job_id = %batch[0].job_id, "cannot store the reparsed result");
                    summary.failed += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Returns how many results were recomputed, and how many could not be parsed.
async fn reparse(
    db: &PgPool,
    seal: &Seal,
    which: &Outdated,
    batch: &[DeliveryKey],
    limits: TextLimits,
) -> sqlx::Result<(usize, usize)> {
    let mut anew = Vec::with_capacity(batch.len());
    for (stored, reading) in batch::read(db, seal, batch, limits).await? {
        if let Interpretation::Success { provider_job_id, parser_version, prepared } = reading {
            let job_id = stored.job_id;
            let provider_job_id = provider_job_id.or(stored.provider_job_id);
            anew.push(Anew { job_id, provider_job_id, parser_version, prepared });
        }
    }
    let unreadable = batch.len() - anew.len();
    let ids: Vec<JobId> = anew.iter().map(|anew| anew.job_id).collect();

    // Feeds in this process have no waiters; those of other processes poll.
    let mut tx = Announcer::default().begin(db).await?;
    partitions::ensure_of(&mut tx, &ids).await?;
    jobs::lock(&mut tx, &ids).await?;
    // A concurrent run may have been faster.
    let versions = insights::versions_below(&mut tx, &ids, which.below).await?;
    anew.retain(|anew| versions.contains_key(&anew.job_id));
    let found: Vec<_> = anew.iter().map(|anew| (anew.origin(), &*anew.prepared)).collect();
    insights::replace(&mut tx, &found).await?;
    let notes = anew.iter().map(|Anew { job_id, parser_version, .. }| {
        let detail = json!({ "from": versions.get(job_id), "to": parser_version });
        Note { job_id: *job_id, kind: EventKind::Reparsed, detail }
    });
    jobs::note(&mut tx, &notes.collect::<Vec<_>>()).await?;
    tx.commit().await?;
    Ok((anew.len(), unreadable))
}

impl Anew {
    fn origin(&self) -> DocumentOrigin<'_> {
        DocumentOrigin {
            job_id: self.job_id,
            provider_job_id: self.provider_job_id.as_deref(),
            parser_version: self.parser_version,
        }
    }
}
