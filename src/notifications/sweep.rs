//! What happens to notifications without a response: leases expire, endpoints pause, probes become due.
use std::time::Duration;

use sqlx::PgTransaction;
use uuid::Uuid;

use super::finish::release_successors;
use crate::{
    db::column,
    endpoints::{self, Stopped},
};

/// Rows per statement.
const BATCH: i64 = 1000;

/// What a sweep changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Attempts whose process ended without recording a response.
    pub lost: usize,
    /// Messages whose endpoint is not active.
    pub skipped: usize,
    /// Messages that are sent to see whether a paused endpoint is back.
    pub probes: usize,
}

impl Swept {
    /// Whether there may be more to sweep.
    pub fn is_cut_short(self) -> bool {
        let batch = usize::try_from(BATCH).unwrap_or(usize::MAX);
        self.lost >= batch || self.skipped >= batch
    }
}

/// Sweeps up to a thousand notifications of each kind, in a reserved transaction.
pub async fn sweep(tx: &mut PgTransaction<'_>, probe_every: Duration) -> sqlx::Result<Swept> {
    let lost = end_leases(tx).await?;
    let skipped = skip(tx).await?;
    let due = endpoints::due_probes(tx, probe_every).await?;
    let probes = if due.is_empty() { 0 } else { probe(tx, &due).await? };
    Ok(Swept { lost, skipped, probes })
}

/// Makes notifications due again whose lease has expired: the process that was sending them ended. The endpoint may have
/// the message; the next attempt has the same `webhook-id`.
async fn end_leases(tx: &mut PgTransaction<'_>) -> sqlx::Result<usize> {
    let done = sqlx::query!(
        r#"
        with lost as (
            update aftercall.notifications set state = 'pending', lease_id = null, due_at = now()
            where id = any (array(
                select id from aftercall.notifications
                where state = 'delivering' and due_at < now()
                order by due_at limit $1 for update skip locked
            ))
            returning id, attempts
        )
        insert into aftercall.notification_attempts (notification_id, number, outcome)
        select id, attempts, 'lost' from lost
        on conflict on constraint notification_attempts_pkey do nothing
        "#,
        BATCH,
    )
    .execute(&mut **tx)
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// Skips messages whose endpoint is not active: `recover` sends them later.
async fn skip(tx: &mut PgTransaction<'_>) -> sqlx::Result<usize> {
    let ids = sqlx::query_scalar!(
        r#"
        with skipped as materialized (
            select n.id
            from aftercall.pending_lanes() as l (lane)
            join aftercall.endpoints e on e.id = l.lane
            cross join lateral (
                select id from aftercall.notifications
                where lane = l.lane and state = 'pending' order by due_at, id limit $1
            ) n
            where e.state <> 'active' or e.deleted_at is not null
            limit $1
        ), locked as materialized (
            select id from aftercall.notifications
            where id = any (array(select id from skipped)) and state = 'pending'
            for update skip locked
        )
        update aftercall.notifications set state = 'skipped', due_at = null, finished_at = now()
        where id = any (array(select id from locked))
        returning id
        "#,
        BATCH,
    )
    .fetch_all(&mut **tx)
    .await?;
    if !ids.is_empty() {
        release_successors(tx, &ids).await?;
    }
    Ok(ids.len())
}

/// Sends the oldest message that each of these paused endpoints has missed.
async fn probe(tx: &mut PgTransaction<'_>, endpoints: &[Uuid]) -> sqlx::Result<usize> {
    let done = sqlx::query!(
        r#"
        update aftercall.notifications set state = 'probe', due_at = now(), finished_at = null
        where id = any (array(
            select (
                select n.id from aftercall.notifications n
                where n.endpoint_id = e.id and n.lane = e.id and n.state = 'skipped'
                order by n.id limit 1
            )
            from unnest($1::uuid[]) as e (id)
        )) and state = 'skipped'
        "#,
        endpoints,
    )
    .execute(&mut **tx)
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// Tells the other endpoints of the callers that these ones stopped because of their failures.
pub async fn announce_pauses(tx: &mut PgTransaction<'_>, stopped: &[Stopped]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into aftercall.notifications (id, lane, endpoint_id, caller_id, about_endpoint, type, version,
            occurred_at, state, due_at)
        select aftercall.uuid_v7(s.at), e.id, e.id, e.caller_id, s.id, 'notify.endpoint.paused', 0, s.at,
            'pending', now()
        from unnest($1::uuid[], $2::timestamptz[]) as s (id, at)
        join aftercall.endpoints p on p.id = s.id
        join aftercall.endpoints e on e.caller_id = p.caller_id and e.id <> p.id
        where e.deleted_at is null and e.state = 'active' and 'notify.endpoint.paused' = any (e.events)
        "#,
        &column(stopped, |it| it.id),
        &column(stopped, |it| it.at),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
