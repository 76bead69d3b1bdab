//! What a request writes to Postgres's log, by the table or index that it is about: fewer rows, indexes and bytes are what
//! makes Postgres's own share smaller, which bare SQL pays as well.
use anyhow::Context as _;
use sqlx::PgPool;

use super::{
    Plan,
    calls::Subject,
    load::{self, Requests},
    payload,
    report::{Budget, Line},
};

/// Records about a relation, without the images of whole pages: those depend on when the last checkpoint was. `$3` is the
/// number of requests. Partitions count for their table, and what is stored out of line for its own.
const BY_RELATION: &str = r"
with record as (
    select resource_manager, record_length - fpi_length as bytes, fpi_length as images,
        (regexp_match(block_ref, 'rel \d+/\d+/(\d+)'))[1]::oid as file
    from pg_get_wal_records_info($1::text::pg_lsn, $2::text::pg_lsn)
), named as (
    select record.bytes, record.images, coalesce(
        pg_partition_root(c.oid)::regclass::text, toasted.main || ' (out of line)', c.oid::regclass::text,
        resource_manager
    ) as name
    from record
    left join pg_class c on c.relfilenode = record.file
    left join lateral (
        select coalesce(pg_partition_root(owner.oid), owner.oid)::regclass::text as main
        from pg_class toast
        join pg_class owner on owner.reltoastrelid = toast.oid
        left join pg_index i on i.indexrelid = c.oid
        where toast.oid = coalesce(i.indrelid, c.oid) and toast.relkind = 't'
    ) toasted on true
)
select replace(name, 'aftercall.', ''), sum(bytes)::float8 / $3, count(*)::float8 / $3, sum(images)::float8 / $3
from named group by 1 order by 2 desc";

pub async fn written(
    subject: &Subject<'_>,
    plan: &Plan,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    for (payload, count) in [(payload::clip(), plan.clips), (payload::call(), plan.calls)] {
        let requests = async || subject.deliveries(&payload, subject.store.submitted(count).await?);
        let both = [requests().await?, requests().await?];
        written_by(subject, payload.name, &both, count, lines).await?;
    }
    let both = [subject.submissions(), subject.submissions()];
    written_by(subject, "submit", &both, plan.submissions, lines).await
}

/// The first requests warm up.
async fn written_by(
    subject: &Subject<'_>,
    name: &str,
    [first, then]: &[Requests; 2],
    count: u32,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    const CONNECTIONS: u32 = 64;
    let pool = &subject.store.pool;
    sqlx::raw_sql("create extension if not exists pg_walinspect").execute(pool).await?;
    load::closed(first, count, CONNECTIONS).await?;
    let since = position(pool).await?;
    load::closed(then, count, CONNECTIONS).await?;
    let until = position(pool).await?;
    let relations: Vec<(String, f64, f64, f64)> = sqlx::query_as(BY_RELATION)
        .bind(since)
        .bind(until)
        .bind(f64::from(count))
        .fetch_all(pool)
        .await
        .context("reading the log")?;
    let sum = |of: fn(&(String, f64, f64, f64)) -> f64| relations.iter().map(of).sum();
    let all = ("in all".to_owned(), sum(|it| it.1), sum(|it| it.2), sum(|it| it.3));
    for (relation, bytes, records, images) in std::iter::once(&all).chain(&relations) {
        let what = format!("WAL, {name}: {relation}");
        let with = format!("{records:.2} records, {images:.0} B of pages");
        lines.push(Line { compared_with: with, ..Line::figure(what, *bytes, "B", Budget::None) });
    }
    Ok(())
}

async fn position(pool: &PgPool) -> sqlx::Result<String> {
    sqlx::query_scalar("select pg_current_wal_flush_lsn()::text").fetch_one(pool).await
}
