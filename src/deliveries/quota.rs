//! Limits how many useless deliveries are stored, since the holder of an attempt's token can send as many as they like.
use std::collections::HashMap;

use sqlx::PgTransaction;

use super::{Classified, Outcome};
use crate::jobs::{Channel, JobId, Surplus};

/// The limit for deliveries to one attempt's webhook that do not end its job.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    pub deliveries: u32,
    /// Total size of their bodies.
    pub bytes: usize,
}

impl Quota {
    /// For sources that only we control.
    pub const UNLIMITED: Self = Self { deliveries: u32::MAX, bytes: usize::MAX };
}

/// How much of its quota an attempt has used.
#[derive(Debug, Default)]
struct Used {
    deliveries: u32,
    bytes: usize,
}

impl Used {
    /// Whether another delivery with this many new bytes fits; if so, it is counted.
    fn fits(&mut self, bytes: usize, quota: Quota) -> bool {
        let fits =
            self.deliveries < quota.deliveries && self.bytes.saturating_add(bytes) <= quota.bytes;
        if fits {
            self.deliveries += 1;
            self.bytes += bytes;
        }
        fits
    }
}

/// Splits off the deliveries to store; the rest is only counted. Exact while the jobs' rows are locked.
pub async fn within<'a>(
    tx: &mut PgTransaction<'_>,
    classified: Vec<Classified<'a>>,
    quota: Quota,
) -> sqlx::Result<(Vec<Classified<'a>>, Vec<Surplus>)> {
    let bounded: Vec<_> =
        classified.iter().filter(|it| it.is_bounded()).map(Classified::of).collect();
    // Most batches contain only deliveries that end jobs.
    if bounded.is_empty() {
        return Ok((classified, Vec::new()));
    }
    let mut used = used(tx, &bounded, quota).await?;
    let mut kept = Vec::with_capacity(classified.len());
    let mut surplus: HashMap<_, Surplus> = HashMap::new();
    for classified in classified {
        let of = classified.of();
        let bytes = classified.new_bytes().map_or(0, <[u8]>::len);
        if !classified.is_bounded() || used.entry(of).or_default().fits(bytes, quota) {
            kept.push(classified);
            continue;
        }
        let (job_id, attempt) = of;
        let none = Surplus { job_id, attempt, deliveries: 0, bytes: 0, last_sha: [0; 32] };
        let surplus = surplus.entry(of).or_insert(none);
        surplus.deliveries += 1;
        surplus.bytes += i64::try_from(classified.delivery.body.len()).unwrap_or(i64::MAX);
        surplus.last_sha = classified.delivery.body_sha;
    }
    Ok((kept, surplus.into_values().collect()))
}

impl Classified<'_> {
    fn of(&self) -> (JobId, i32) {
        (self.delivery.job_id, self.delivery.attempt)
    }

    fn is_bounded(&self) -> bool {
        self.delivery.via == Channel::Webhook && self.outcome != Outcome::Accepted
    }
}

/// Usage by job and attempt, counted only as far as the quota.
async fn used(
    tx: &mut PgTransaction<'_>,
    attempts: &[(JobId, i32)],
    quota: Quota,
) -> sqlx::Result<HashMap<(JobId, i32), Used>> {
    let (jobs, numbers): (Vec<JobId>, Vec<i32>) = attempts.iter().copied().unzip();
    let rows = sqlx::query!(
        r#"
        select g.job_id as "job_id!: JobId", g.attempt as "attempt!", u.deliveries as "deliveries!",
            u.bytes as "bytes!"
        from (select distinct job_id, attempt from unnest($1::uuid[], $2::int[])
            as given (job_id, attempt)) g
        cross join lateral (
            select count(*) as deliveries, coalesce(sum(bytes), 0)::bigint as bytes
            from (
                select case when d.body is not null then d.body_bytes end as bytes
                from aftercall.deliveries d
                where d.job_id = g.job_id and d.attempt = g.attempt and d.via = 'webhook'
                  and d.outcome <> 'accepted'
                limit $3
            ) kept
        ) u
        "#,
        &jobs as &[JobId],
        &numbers,
        i64::from(quota.deliveries),
    )
    .fetch_all(&mut **tx)
    .await?;
    let used = rows.into_iter().map(|row| {
        let deliveries = u32::try_from(row.deliveries).unwrap_or(u32::MAX);
        let bytes = usize::try_from(row.bytes).unwrap_or(usize::MAX);
        ((row.job_id, row.attempt), Used { deliveries, bytes })
    });
    Ok(used.collect())
}
