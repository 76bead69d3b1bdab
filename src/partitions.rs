//! The monthly partitions of tables: what there is, and creating and dropping them. Statements about them run in SQL
//! functions with the rights of the owner, since the service has none but to change rows.
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgPool, PgTransaction};

use crate::jobs::JobId;

/// A partition, and the month whose jobs it holds.
#[derive(Debug, Clone)]
pub struct Partition {
    pub parent: String,
    pub name: String,
    pub starts_at: DateTime<Utc>,
    /// Excluded.
    pub ends_at: DateTime<Utc>,
    /// With its indexes and long values.
    pub bytes: i64,
    /// As of the last time Postgres analyzed it; negative if it never did.
    pub estimated_rows: i64,
}

/// What became of a partition that was to be detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detachment {
    Done,
    /// Its month has jobs whose rows must stay.
    Kept,
    /// Its lock was not available at once, or another process applies retention.
    Busy,
}

/// Creates the partitions of all partitioned tables up to `months_ahead`; returns how many were missing.
pub async fn ensure(db: &PgPool, months_ahead: u32) -> sqlx::Result<i32> {
    let months = i32::try_from(months_ahead).unwrap_or(i32::MAX);
    sqlx::query_scalar!(r#"select aftercall.ensure_partitions($1) as "made!""#, months)
        .fetch_one(db)
        .await
}

/// Creates those partitions for the months of these jobs that retention has dropped, and keeps them until the
/// transaction ends. Needed before rows are written about jobs of any age.
pub async fn ensure_of(tx: &mut PgTransaction<'_>, jobs: &[JobId]) -> sqlx::Result<()> {
    sqlx::query!("select aftercall.ensure_partitions_of($1)", jobs as &[JobId])
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// All partitions, by table and month. One that another process drops meanwhile has no size.
pub async fn list(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Partition>> {
    sqlx::query_as!(
        Partition,
        r#"
        select m.parent as "parent!", m.name as "name!", m.starts_at as "starts_at!", m.ends_at as "ends_at!",
            coalesce(pg_total_relation_size(m.oid), 0) as "bytes!", c.reltuples::bigint as "estimated_rows!"
        from aftercall.monthly_partitions m join pg_class c on c.oid = m.oid
        order by m.parent, m.starts_at
        "#,
    )
    .fetch_all(db)
    .await
}

/// Tables that were detached and still have to be dropped, and their sizes. One that another process drops meanwhile
/// has none.
pub async fn detached(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(String, String, i64)>> {
    let rows = sqlx::query!(
        r#"
        select parent as "parent!", name as "name!",
            coalesce(pg_total_relation_size(to_regclass(format('aftercall.%I', name))), 0) as "bytes!"
        from aftercall.detached_partitions()
        "#,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.parent, row.name, row.bytes)).collect())
}

/// The ids of a month's jobs: the first one possible, and the first one after it.
pub async fn bounds(db: impl PgExecutor<'_>, month: &Partition) -> sqlx::Result<(JobId, JobId)> {
    let row = sqlx::query!(
        r#"
        select aftercall.uuid_floor($1) as "first!: JobId", aftercall.uuid_floor($2) as "end!: JobId"
        "#,
        month.starts_at,
        month.ends_at,
    )
    .fetch_one(db)
    .await?;
    Ok((row.first, row.end))
}

/// Whether the month has jobs that ended after `cutoff`, or that are not due for another reason. Always true of the last
/// month, whose partitions [`ensure`] would create again.
pub async fn is_kept(
    db: impl PgExecutor<'_>,
    month: &Partition,
    cutoff: DateTime<Utc>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select $2 >= date_trunc('month', now(), 'UTC')
            or aftercall.month_is_kept($1, $2, $3, false) as "kept!"
        "#,
        month.starts_at,
        month.ends_at,
        cutoff,
    )
    .fetch_one(db)
    .await
}

/// Detaches the partition if all jobs of its month ended before `cutoff`.
pub async fn detach(
    db: impl PgExecutor<'_>,
    partition: &Partition,
    cutoff: DateTime<Utc>,
) -> sqlx::Result<Detachment> {
    let outcome = sqlx::query_scalar!(
        r#"select aftercall.detach_partition($1, $2, $3) as "outcome!""#,
        partition.parent,
        partition.name,
        cutoff,
    )
    .fetch_one(db)
    .await?;
    Ok(match &*outcome {
        "detached" => Detachment::Done,
        "kept" => Detachment::Kept,
        _ => Detachment::Busy,
    })
}

/// Drops a detached partition. Returns how many rows it had; `None` while another process uses it.
pub async fn drop_detached(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<u64>> {
    let rows =
        sqlx::query_scalar!("select aftercall.drop_detached($1)", name).fetch_one(db).await?;
    Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
}

/// Reserves retention for this transaction; `false` if another process is applying it.
pub async fn reserve_retention(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtext('aftercall.retention')) as "reserved!""#
    )
    .fetch_one(db)
    .await
}

/// How many rows of a partitioned table belong to jobs that are due.
pub async fn count_due(
    db: impl PgExecutor<'_>,
    parent: &'static str,
    cutoff: DateTime<Utc>,
) -> sqlx::Result<i64> {
    let statement = format!(
        "select count(*) from aftercall.{parent} t join aftercall.jobs j on j.id = t.job_id
         where t.job_id < aftercall.uuid_floor($1)
           and aftercall.is_due(j.finished_at, j.deadline_at, $1)"
    );
    // The name is one of this program's.
    sqlx::query_scalar(AssertSqlSafe(statement)).bind(cutoff).fetch_one(db).await
}

/// For how many seconds the oldest due row of a partitioned table has been due, for an age in seconds.
pub async fn overdue(
    db: impl PgExecutor<'_>,
    parent: &'static str,
    age: f64,
) -> sqlx::Result<Option<f64>> {
    let statement = format!(
        "select extract(epoch from now() - greatest(j.finished_at + make_interval(secs => $1),
             j.deadline_at + interval '8 days'))::float8
         from aftercall.{parent} t join aftercall.jobs j on j.id = t.job_id
         where t.job_id < aftercall.uuid_floor(now() - make_interval(secs => $1))
           and aftercall.is_due(j.finished_at, j.deadline_at, now() - make_interval(secs => $1))
         order by t.job_id limit 1"
    );
    sqlx::query_scalar(AssertSqlSafe(statement)).bind(age).fetch_optional(db).await
}

/// The same for the oldest partition that holds rows of a month without jobs.
pub async fn overdue_month(db: impl PgExecutor<'_>, age: f64) -> sqlx::Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"
        select extract(epoch from now() - m.ends_at - make_interval(secs => $1))::float8 as "seconds!"
        from aftercall.monthly_partitions m
        where m.ends_at < least(now() - make_interval(secs => $1), date_trunc('month', now(), 'UTC'))
          and not exists (
            select from aftercall.jobs j
            where j.id >= aftercall.uuid_floor(m.starts_at) and j.id < aftercall.uuid_floor(m.ends_at))
        order by m.ends_at limit 1
        "#,
        age,
    )
    .fetch_optional(db)
    .await
}
