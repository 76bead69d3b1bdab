//! What deliveries say about their endpoints: a failing endpoint is slowed down, then paused.
use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::PgTransaction;
use uuid::Uuid;

use crate::db::column;

/// What one attempt says about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Health {
    pub endpoint_id: Uuid,
    pub sign: Sign,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sign {
    /// It accepted a message.
    Well,
    /// It rejected this message; others may be accepted.
    Rejects,
    /// It is overloaded or unreachable, or asked to wait this long.
    Down(Duration),
    /// It asked for no more messages, with a 410.
    Gone,
}

/// When an endpoint pauses itself.
#[derive(Debug, Clone, Copy)]
pub struct PauseRules {
    /// After failing for this long.
    pub after: Duration,
    /// After this many failures in a row, if they span at least the next field.
    pub failures: u32,
    pub failures_over: Duration,
    /// Wait after the first failure; doubled by each further one, up to the next field.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// Until the first probe.
    pub probe_after: Duration,
}

/// An endpoint that has just stopped because of its failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    pub id: Uuid,
    pub at: DateTime<Utc>,
}

/// What a batch of attempts says about one endpoint.
#[derive(Debug, Default)]
struct Sum {
    is_well: bool,
    failures: i32,
    is_down: bool,
    wait: Duration,
    is_gone: bool,
}

/// Records the signs; returns the endpoints that stopped because of them. A success also ends a pause because of failures.
/// One success among the signs of an endpoint outweighs the failures: it is up.
pub async fn record_health(
    tx: &mut PgTransaction<'_>,
    healths: &[Health],
    rules: PauseRules,
) -> sqlx::Result<Vec<Stopped>> {
    let mut sums: BTreeMap<Uuid, Sum> = BTreeMap::new();
    for health in healths {
        let sum = sums.entry(health.endpoint_id).or_default();
        match health.sign {
            Sign::Well => sum.is_well = true,
            Sign::Rejects => sum.failures += 1,
            Sign::Gone => (sum.failures, sum.is_gone) = (sum.failures + 1, true),
            Sign::Down(wait) => {
                sum.failures += 1;
                sum.is_down = true;
                sum.wait = sum.wait.max(wait);
            }
        }
    }
    let well: Vec<Uuid> =
        sums.iter().filter(|(_, sum)| sum.is_well && !sum.is_gone).map(|(id, _)| *id).collect();
    let ill: Vec<(Uuid, Sum)> =
        sums.into_iter().filter(|(_, sum)| !sum.is_well || sum.is_gone).collect();
    if !well.is_empty() && !ill.is_empty() {
        lock(tx, &column(healths, |health| health.endpoint_id)).await?;
    }
    if !well.is_empty() {
        recover(tx, &well).await?;
    }
    if ill.is_empty() { Ok(Vec::new()) } else { fail(tx, &ill, rules).await }
}

/// Two batches, each with good news of what the other has bad news of, would otherwise wait for one another.
async fn lock(tx: &mut PgTransaction<'_>, ids: &[Uuid]) -> sqlx::Result<()> {
    let locked = sqlx::query_scalar!(
        "select id from aftercall.endpoints where id = any($1) order by id for update",
        ids,
    );
    locked.fetch_all(&mut **tx).await.map(drop)
}

/// Most successes change nothing: the time of the last one is kept to the minute.
async fn recover(tx: &mut PgTransaction<'_>, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with well as materialized (
            select id, state = 'paused' and pause_reason = 'failing' as was_paused
            from aftercall.endpoints
            where id = any($1) and deleted_at is null and (
                failures > 0 or failing_since is not null or slow_until is not null
                or last_success_at is null or last_success_at < now() - interval '1 minute'
                or state = 'paused' and pause_reason = 'failing')
            order by id for update
        )
        update aftercall.endpoints e set
            failures = 0, failing_since = null, slow_until = null, last_success_at = now(),
            state = case when well.was_paused then 'active' else e.state end,
            pause_reason = case when not well.was_paused then e.pause_reason end,
            paused_at = case when not well.was_paused then e.paused_at end,
            probe_at = case when not well.was_paused then e.probe_at end
        from well where e.id = well.id
        "#,
        ids,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn fail(
    tx: &mut PgTransaction<'_>,
    ill: &[(Uuid, Sum)],
    rules: PauseRules,
) -> sqlx::Result<Vec<Stopped>> {
    sqlx::query_as!(
        Stopped,
        r#"
        with ill as materialized (
            select e.id, i.wait, i.is_down, e.failures + i.failures as failures,
                coalesce(e.failing_since, now()) as failing_since,
                e.state = 'active' and i.is_gone as ends, e.state = 'active' and not i.is_gone and (
                    e.failing_since <= now() - make_interval(secs => $6)
                    or e.failures + i.failures >= $7
                        and e.failing_since <= now() - make_interval(secs => $8)
                ) as pauses
            from unnest($1::uuid[], $2::int[], $3::bool[], $4::float8[], $5::bool[])
                as i (id, failures, is_down, wait, is_gone)
            join aftercall.endpoints e on e.id = i.id
            where e.deleted_at is null
            order by e.id for update of e
        ), stopped as (
            update aftercall.endpoints e set
                failures = ill.failures, failing_since = ill.failing_since,
                slow_until = case when ill.is_down then now() + make_interval(secs =>
                    greatest(ill.wait, least($9 * 2 ^ least(ill.failures - 1, 30), $10))) else e.slow_until end,
                state = case when ill.ends then 'disabled' when ill.pauses then 'paused' else e.state end,
                pause_reason = case when ill.ends then 'gone' when ill.pauses then 'failing'
                    else e.pause_reason end,
                paused_at = case when ill.ends or ill.pauses then now() else e.paused_at end,
                probe_at = case when ill.pauses then now() + make_interval(secs => $11) else e.probe_at end
            from ill where e.id = ill.id
            returning e.id, e.paused_at, ill.ends or ill.pauses as stops
        )
        select id, paused_at as "at!" from stopped where stops
        "#,
        &column(ill, |(id, _)| *id),
        &column(ill, |(_, sum)| sum.failures),
        &column(ill, |(_, sum)| sum.is_down),
        &column(ill, |(_, sum)| sum.wait.as_secs_f64()),
        &column(ill, |(_, sum)| sum.is_gone),
        rules.after.as_secs_f64(),
        i32::try_from(rules.failures).unwrap_or(i32::MAX),
        rules.failures_over.as_secs_f64(),
        rules.first_wait.as_secs_f64(),
        rules.longest_wait.as_secs_f64(),
        rules.probe_after.as_secs_f64(),
    )
    .fetch_all(&mut **tx)
    .await
}

/// Endpoints that paused themselves and whose probe is due; the next one is due after `interval`.
pub async fn due_probes(tx: &mut PgTransaction<'_>, interval: Duration) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        update aftercall.endpoints set probe_at = now() + make_interval(secs => $1)
        where id = any (array(
            select id from aftercall.endpoints
            where state = 'paused' and pause_reason = 'failing' and deleted_at is null and probe_at <= now()
            order by probe_at limit 100 for update skip locked
        ))
        returning id
        "#,
        interval.as_secs_f64(),
    )
    .fetch_all(&mut **tx)
    .await
}
