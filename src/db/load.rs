//! The load and the size of the database, for the sampled metrics; read from catalogs.
use sqlx::PgExecutor;

#[derive(Debug, Clone, Copy)]
pub struct ServerLoad {
    /// Sessions on the server, of all databases.
    pub connections: i64,
    pub max_connections: i64,
    /// Age of the oldest open transaction in this database, of those that this role may see.
    pub oldest_transaction_secs: f64,
    pub bytes: i64,
}

pub async fn server_load(db: impl PgExecutor<'_>) -> sqlx::Result<ServerLoad> {
    sqlx::query_as!(
        ServerLoad,
        r#"
        select (select sum(numbackends) from pg_stat_database)::int8 as "connections!",
            current_setting('max_connections')::int8 as "max_connections!",
            coalesce((
                select extract(epoch from greatest(clock_timestamp() - min(xact_start), '0'))
                from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                  and coalesce(backend_type, 'client backend') = 'client backend'
            ), 0)::float8 as "oldest_transaction_secs!",
            pg_database_size(current_database()) as "bytes!"
        "#,
    )
    .fetch_one(db)
    .await
}

#[derive(Debug, Clone)]
pub struct TableSize {
    pub name: String,
    /// With indexes and long values; for a partitioned table, of all its partitions.
    pub bytes: i64,
    /// For a partitioned table: days until its last partition ends.
    pub days_ahead: Option<f64>,
}

/// Our tables, by name.
pub async fn table_sizes(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<TableSize>> {
    sqlx::query_as!(
        TableSize,
        r#"
        select coalesce(parent.relname, c.relname)::text as "name!",
            coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 as "bytes!",
            extract(epoch from max(case when parent.oid is not null then
                to_timestamp(substring(c.relname from '_y(\d{4}m\d\d)$'), 'YYYY"m"MM') + interval '1 month'
                end) - now())::float8 / 86400 as days_ahead
        from pg_class c
        left join pg_inherits i on i.inhrelid = c.oid
        left join pg_class parent on parent.oid = i.inhparent
        where c.relnamespace = 'aftercall'::regnamespace and c.relkind = 'r'
        group by 1 order by 1
        "#,
    )
    .fetch_all(db)
    .await
}
