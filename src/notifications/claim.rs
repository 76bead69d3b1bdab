//! Workers claim due notifications.
use std::time::Duration;

use sqlx::{PgExecutor, PgTransaction};
use uuid::Uuid;

use super::{Event, EventColumns};
use crate::jobs::{Channel, JobId};

/// Arbitrary; of the advisory lock that the claims of all replicas take turns by.
const TURNS: i64 = 4_711_037;

/// How many messages may be claimed.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLimits {
    /// In all.
    pub total: usize,
    /// To endpoints that failed last, and to URLs of jobs, about which nothing is known.
    pub doubtful: usize,
    /// Concurrent messages of one lane, over all replicas.
    pub per_lane: u32,
}

/// A notification that this process is sending, until its lease expires.
#[derive(Debug)]
pub struct Claimed {
    pub id: Uuid,
    pub lease_id: Uuid,
    pub endpoint_id: Uuid,
    /// Whether it goes to the URL of its job instead of that of the endpoint.
    pub has_own_url: bool,
    /// That URL, sealed.
    pub own_url: Option<Vec<u8>>,
    pub event: Event,
    pub nonce: String,
    /// The number of this attempt, from 1.
    pub attempt: i32,
    /// Failed attempts of this round.
    pub retries: i32,
    /// Of the job.
    pub external_id: Option<String>,
    pub trace_context: Option<String>,
    /// Whether its endpoint failed last, or it goes to the URL of its job.
    pub is_doubtful: bool,
    /// Seconds since 1970.
    pub now: i64,
}

/// Whether a message is due; reads one index entry per lane.
pub async fn has_due(db: impl PgExecutor<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from aftercall.pending_lanes() as l (lane)
            where (
                select n.due_at from aftercall.notifications n
                where n.lane = l.lane and n.state = 'pending' order by n.due_at limit 1
            ) <= now()
        ) or exists (
            select from aftercall.notifications where state = 'probe' and due_at <= now()
        ) as "due!"
        "#
    )
    .fetch_one(db)
    .await
}

/// Whether this transaction is the only one that claims or sweeps. Otherwise two replicas could exceed the limit of a lane
/// together.
pub async fn reserve(tx: &mut PgTransaction<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "is_ours!""#, TURNS)
        .fetch_one(&mut **tx)
        .await
}

/// Claims due messages in a reserved transaction; commit before sending them.
///
/// Lanes take turns: the message that would be the lane's first in flight goes before any lane's second. A lane whose
/// endpoint failed last gets one request at a time. A message of a job whose predecessor in the lane is unfinished
/// becomes `waiting`; [`finish`](super::finish) releases it.
pub async fn claim(
    tx: &mut PgTransaction<'_>,
    limits: ClaimLimits,
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    let (first, behind): (Vec<_>, Vec<_>) =
        candidates(tx, limits).await?.into_iter().partition(|candidate| !candidate.is_behind);
    if !behind.is_empty() {
        let ids: Vec<Uuid> = behind.iter().map(|candidate| candidate.id).collect();
        park(tx, &ids).await?;
    }
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = first.iter().map(|candidate| candidate.id).collect();
    lease_out(tx, &ids, lease).await
}

struct Candidate {
    id: Uuid,
    is_behind: bool,
}

/// Locks the messages whose turn it is.
async fn candidates(
    tx: &mut PgTransaction<'_>,
    limits: ClaimLimits,
) -> sqlx::Result<Vec<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"
        with sending as materialized (
            select lane, count(*) as messages from aftercall.notifications
            where state = 'delivering' group by lane
        ), lane as materialized (
            select l.lane, coalesce(e.failures, 0) > 0 as fails, coalesce(e.failures > 0, true) as is_doubtful,
                coalesce(sending.messages, 0) as busy
            from aftercall.pending_lanes() as l (lane)
            left join sending on sending.lane = l.lane
            left join aftercall.endpoints e on e.id = l.lane
            where e.id is null or e.state = 'active' and e.deleted_at is null
                and (e.failures = 0 or coalesce(e.slow_until <= now(), true))
        ), due as (
            select one.id, lane.is_doubtful, one.due_at,
                lane.busy + row_number() over (partition by lane.lane order by one.due_at, one.id) as turn
            from lane
            cross join lateral (
                select n.id, n.due_at from aftercall.notifications n
                where n.lane = lane.lane and n.state = 'pending' and n.due_at <= now()
                order by n.due_at, n.id
                limit greatest(0, case when lane.fails then 1 else $3::bigint end - lane.busy)
            ) one
        ), ranked as (
            select id, is_doubtful, due_at, turn,
                row_number() over (partition by is_doubtful order by turn, due_at) as nth
            from due
        ), chosen as (
            select id, turn, due_at from ranked where not is_doubtful or nth <= $2
            union all
            (select id, 0, due_at from aftercall.notifications
            where state = 'probe' and due_at <= now() order by due_at limit 10)
            order by turn, due_at limit $1
        )
        select n.id, n.nonce = '' and exists (
            select from aftercall.notifications o
            where o.job_id = n.job_id and o.lane = n.lane and o.nonce = '' and o.version < n.version
                and o.state in ('waiting', 'pending', 'probe', 'delivering')
        ) as "is_behind!"
        from aftercall.notifications n
        where n.id = any (array(select id from chosen)) and n.state in ('pending', 'probe')
        for update of n skip locked
        "#,
        i64::try_from(limits.total).unwrap_or(i64::MAX),
        i64::try_from(limits.doubtful).unwrap_or(i64::MAX),
        i64::from(limits.per_lane),
    )
    .fetch_all(&mut **tx)
    .await
}

/// Has messages wait for an earlier one of their job, which this transaction locks: whoever finishes it sees them. Those
/// whose predecessor is just being finished stay as they are until the next claim.
async fn park(tx: &mut PgTransaction<'_>, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with held as materialized (
            select n.id
            from aftercall.notifications n
            join aftercall.notifications o
                on o.job_id = n.job_id and o.lane = n.lane and o.version < n.version
            where n.id = any($1) and o.nonce = ''
                and o.state in ('waiting', 'pending', 'probe', 'delivering')
            for update of o skip locked
        )
        update aftercall.notifications set state = 'waiting', due_at = null
        where id = any (array(select id from held))
        "#,
        ids,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn lease_out(
    tx: &mut PgTransaction<'_>,
    ids: &[Uuid],
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    let rows = sqlx::query!(
        r#"
        with claimed as (
            update aftercall.notifications n set
                state = 'delivering', lease_id = $2, attempts = attempts + 1,
                due_at = now() + make_interval(secs => $3)
            where n.id = any($1)
            returning n.*
        )
        select c.id, c.lease_id as "lease_id!", c.endpoint_id, c.lane <> c.endpoint_id as "has_own_url!",
            c.job_id as "job_id: JobId", c.about_endpoint, c.type as kind, c.version, c.nonce,
            c.completed_via as "completed_via: Channel", c.occurred_at, c.attempts, c.retries,
            j.external_id, j.trace_context, j.notify_url,
            coalesce((
                select e.failures > 0 from aftercall.endpoints e where e.id = c.lane
            ), true) as "is_doubtful!",
            extract(epoch from now())::bigint as "now!"
        from claimed c
        left join lateral (
            select external_id, trace_context, notify_url from aftercall.jobs where id = c.job_id offset 0
        ) j on true
        "#,
        ids,
        Uuid::new_v4(),
        lease.as_secs_f64(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let claimed = rows.into_iter().map(|row| Claimed {
        id: row.id,
        lease_id: row.lease_id,
        endpoint_id: row.endpoint_id,
        has_own_url: row.has_own_url,
        own_url: row.notify_url,
        event: EventColumns {
            kind: row.kind,
            job_id: row.job_id,
            about_endpoint: row.about_endpoint,
            version: row.version,
            completed_via: row.completed_via,
            occurred_at: row.occurred_at,
        }
        .into(),
        nonce: row.nonce,
        attempt: row.attempts,
        retries: row.retries,
        external_id: row.external_id,
        trace_context: row.trace_context,
        is_doubtful: row.is_doubtful,
        now: row.now,
    });
    Ok(claimed.collect())
}
