//! Records how attempts ended.
use std::time::Duration;

use sqlx::PgTransaction;
use uuid::Uuid;

use crate::{
    db::column,
    endpoints::{self, Health, PauseRules},
};

/// What an attempt means for its notification.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    Delivered,
    /// To be sent again after this time.
    Retry(Duration),
    /// No further attempt.
    Exhausted,
    /// It cannot be sent: its endpoint is gone.
    Skipped,
}

impl Verdict {
    fn state(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry(_) => "pending",
            Self::Exhausted => "exhausted",
            Self::Skipped => "skipped",
        }
    }
}

/// An attempt that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    pub id: Uuid,
    pub lease_id: Uuid,
    pub number: i32,
    /// `answered`, or why there was no response.
    pub outcome: &'static str,
    pub status: Option<u16>,
    pub latency: Duration,
    /// The beginning of the response.
    pub answer: Option<String>,
    pub verdict: Verdict,
    /// What it says about the endpoint; `None` if it went to a job's own URL.
    pub health: Option<Health>,
}

/// A notification that was delivered, for the metrics.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub kind: String,
    pub nonce: String,
    /// Seconds from the event to its delivery.
    pub secs: f64,
}

/// Records the attempts, and what they say about their endpoints, in one transaction. An attempt whose lease has expired
/// is ignored: another one is made. A message that cannot be sent now because its endpoint is paused becomes `skipped`.
pub async fn finish(
    tx: &mut PgTransaction<'_>,
    done: &[Finished],
    rules: PauseRules,
) -> sqlx::Result<Vec<Arrival>> {
    let ours = lock(tx, done).await?;
    let done: Vec<&Finished> = done.iter().filter(|it| ours.contains(&it.id)).collect();
    if done.is_empty() {
        return Ok(Vec::new());
    }
    let healths: Vec<Health> = done.iter().filter_map(|it| it.health).collect();
    let paused = endpoints::record_health(tx, &healths, rules).await?;
    if !paused.is_empty() {
        super::announce_pauses(tx, &paused).await?;
    }
    let arrivals = settle(tx, &done).await?;
    keep_attempts(tx, &done).await?;
    release_successors(tx, &column(&done, |it| it.id)).await?;
    Ok(arrivals)
}

/// Locks the notifications whose lease still holds, in the order of their ids.
async fn lock(tx: &mut PgTransaction<'_>, done: &[Finished]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        select n.id from unnest($1::uuid[], $2::uuid[]) as d (id, lease_id)
        join aftercall.notifications n on n.id = d.id and n.lease_id = d.lease_id
        where n.state = 'delivering'
        order by n.id for update of n
        "#,
        &column(done, |it| it.id),
        &column(done, |it| it.lease_id),
    )
    .fetch_all(&mut **tx)
    .await
}

async fn settle(tx: &mut PgTransaction<'_>, done: &[&Finished]) -> sqlx::Result<Vec<Arrival>> {
    let wait = |it: &&Finished| match it.verdict {
        Verdict::Retry(after) => after.as_secs_f64(),
        _ => 0.0,
    };
    sqlx::query_as!(
        Arrival,
        r#"
        with settled as (
            update aftercall.notifications n set lease_id = null, (state, retries, due_at, finished_at) = (
                select s.state,
                    n.retries + case when s.state = 'pending' then 1 else 0 end,
                    case when s.state = 'pending' then now() + make_interval(secs => d.wait) end,
                    case when s.state <> 'pending' then now() end
                from (
                    select case
                        when d.state = 'pending' and n.lane = n.endpoint_id and (
                            select e.state <> 'active' or e.deleted_at is not null
                            from aftercall.endpoints e where e.id = n.endpoint_id
                        ) then 'skipped'
                        else d.state end as state
                ) s
            )
            from unnest($1::uuid[], $2::text[], $3::float8[]) as d (id, state, wait)
            where n.id = d.id
            returning n.type, n.nonce, n.state, n.occurred_at
        )
        select type as "kind!", nonce as "nonce!",
            extract(epoch from clock_timestamp() - occurred_at)::float8 as "secs!"
        from settled where state = 'delivered'
        "#,
        &column(done, |it| it.id),
        &column(done, |it| it.verdict.state()) as &[&str],
        &column(done, wait),
    )
    .fetch_all(&mut **tx)
    .await
}

async fn keep_attempts(tx: &mut PgTransaction<'_>, done: &[&Finished]) -> sqlx::Result<()> {
    let millis = |it: &&Finished| i32::try_from(it.latency.as_millis()).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"
        insert into aftercall.notification_attempts
            (notification_id, number, outcome, status, latency_ms, answer)
        select * from unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::int[], $6::text[])
        on conflict on constraint notification_attempts_pkey do nothing
        "#,
        &column(done, |it| it.id),
        &column(done, |it| it.number),
        &column(done, |it| it.outcome) as &[&str],
        &column(done, |it| it.status.map(i32::from)) as &[Option<i32>],
        &column(done, millis),
        &column(done, |it| it.answer.as_deref()) as &[Option<&str>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes the next message of each job due whose predecessors in the lane are final. A statement of its own: it sees the
/// messages that began to wait until these locked their rows.
pub(super) async fn release_successors(
    tx: &mut PgTransaction<'_>,
    ids: &[Uuid],
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with next as materialized (
            select (
                select w.id from aftercall.notifications w
                where w.job_id = p.job_id and w.lane = p.lane and w.nonce = '' and w.state = 'waiting'
                order by w.version limit 1
            ) as id
            from aftercall.notifications p
            where p.id = any($1) and p.finished_at is not null
        )
        update aftercall.notifications w set state = 'pending', due_at = now()
        where w.id = any (array(select id from next where id is not null)) and w.state = 'waiting'
            and not exists (
                select from aftercall.notifications o
                where o.job_id = w.job_id and o.lane = w.lane and o.nonce = '' and o.version < w.version
                    and o.state in ('pending', 'probe', 'delivering')
            )
        "#,
        ids,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
