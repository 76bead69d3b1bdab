//! The table `contract_drift`.
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

use super::{Counts, Drift, Key, Kind, MOST_ROWS, add as count, other};
use crate::{db, jobs::JobId};

/// Adds counts to the table; returns the keys that are new. Beyond [`MOST_ROWS`] rows, new keys are
/// counted as `other`; rows not seen for 90 days are deleted.
pub async fn add(db: &PgPool, counted: &Counts) -> sqlx::Result<Vec<Key>> {
    let mut tx = db::begin(db).await?;
    // One writer at a time, so that the row count is exact; readers are not blocked.
    sqlx::query!("lock table aftercall.contract_drift in share row exclusive mode")
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "delete from aftercall.contract_drift where last_seen_at < now() - interval '90 days'"
    )
    .execute(&mut *tx)
    .await?;
    let known =
        sqlx::query!(r#"select kind as "kind: Kind", path, name from aftercall.contract_drift"#)
            .fetch_all(&mut *tx)
            .await?;
    let known: BTreeSet<Key> =
        known.into_iter().map(|row| (row.kind, row.path, row.name)).collect();

    let mut rows = Counts::new();
    let mut first_seen = Vec::new();
    for (key, seen) in counted {
        let is_known = known.contains(key);
        let has_room = is_known || known.len() + first_seen.len() < MOST_ROWS;
        let key = if has_room { key.clone() } else { other() };
        if !known.contains(&key) && !rows.contains_key(&key) {
            first_seen.push(key.clone());
        }
        count(&mut rows, key, seen.clone());
    }
    upsert(&mut *tx, &rows).await?;
    tx.commit().await?;
    Ok(first_seen)
}

async fn upsert(db: impl PgExecutor<'_>, rows: &Counts) -> sqlx::Result<()> {
    let kinds: Vec<Kind> = rows.keys().map(|(kind, ..)| *kind).collect();
    let paths: Vec<&str> = rows.keys().map(|(_, path, _)| path.as_str()).collect();
    let names: Vec<&str> = rows.keys().map(|(.., name)| name.as_str()).collect();
    let samples: Vec<String> = rows.values().map(|seen| seen.sample.to_string()).collect();
    let deliveries: Vec<i64> = rows.values().map(|seen| seen.deliveries).collect();
    let examples: Vec<JobId> = rows.values().map(|seen| seen.example_job_id).collect();
    sqlx::query!(
        r#"
        insert into aftercall.contract_drift as d
            (kind, path, name, sample, deliveries, example_job_id)
        select g.kind, g.path, g.name, g.sample::json, g.deliveries, g.example_job_id
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::uuid[])
            as g (kind, path, name, sample, deliveries, example_job_id)
        order by 1, 2, 3
        on conflict (kind, path, name) do update set
            deliveries = d.deliveries + excluded.deliveries,
            last_seen_at = excluded.last_seen_at,
            example_job_id = excluded.example_job_id
        "#,
        &kinds as &[Kind],
        &paths as &[&str],
        &names as &[&str],
        &samples,
        &deliveries,
        &examples as &[JobId],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All rows, at most `MOST_ROWS` and one, most recently first seen first.
pub async fn list(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Drift>> {
    sqlx::query_as!(
        Drift,
        r#"
        select kind as "kind: Kind", path, name, sample as "sample: Value", deliveries,
            first_seen_at, last_seen_at, example_job_id
        from aftercall.contract_drift
        order by first_seen_at desc, kind, path, name
        "#,
    )
    .fetch_all(db)
    .await
}

/// When the newest difference was first seen.
pub async fn newest(db: impl PgExecutor<'_>) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("select max(first_seen_at) from aftercall.contract_drift")
        .fetch_one(db)
        .await
}
