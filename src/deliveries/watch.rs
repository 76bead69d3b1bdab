//! What operators watch about deliveries, for the sampled metrics.
use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// Maximum number of set-aside deliveries that are counted.
const MOST_COUNTED: i64 = 10_000;
/// Maximum number of deliveries among which one of the webhook is looked for.
const MOST_LOOKED_AT: i64 = 10_000;

/// Deliveries that could not be used, and no replay of which could.
#[derive(Debug, Clone, Copy)]
pub struct Quarantine {
    pub deliveries: i64,
    /// Time since the oldest arrived; 0 when there is none.
    pub oldest_secs: f64,
}

/// Looks at the newest deliveries that were ever set aside, at most `MOST_COUNTED`.
pub async fn quarantine(db: impl PgExecutor<'_>) -> sqlx::Result<Quarantine> {
    sqlx::query_as!(
        Quarantine,
        r#"
        select count(*) as "deliveries!",
            coalesce(extract(epoch from now() - min(d.received_at)), 0)::float8 as "oldest_secs!"
        from (
            select job_id, id, received_at from aftercall.deliveries
            where outcome in ('malformed', 'mismatch') and via <> 'replay'
            order by id desc limit $1
        ) d
        where 0 = (
            select count(*) from aftercall.deliveries r
            where r.job_id = d.job_id and r.replay_of = d.id
              and r.outcome not in ('malformed', 'mismatch'))
        "#,
        MOST_COUNTED,
    )
    .fetch_one(db)
    .await
}

/// When the webhook last received a delivery that is stored, if that was after `since`. Looks at the newest deliveries
/// only, and at none that is some minutes older than `since`.
pub async fn last_webhook_since(
    db: impl PgExecutor<'_>,
    since: DateTime<Utc>,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    // Ids come from clocks that may differ slightly from Postgres's.
    sqlx::query_scalar!(
        r#"
        select d.received_at from (
            select id, via, received_at from aftercall.deliveries
            where id >= aftercall.uuid_floor(greatest('epoch', $1::timestamptz - interval '5 minutes'))
            order by id desc limit $2
        ) d
        where d.via = 'webhook' order by d.id desc limit 1
        "#,
        since,
        MOST_LOOKED_AT,
    )
    .fetch_optional(db)
    .await
}
