//! Applies the migrations, so that statements of running processes wait for none of them.
use sqlx::{AssertSqlSafe, PgConnection, PgPool, migrate::MigrateError};

use super::{LOOK_EVERY, MIGRATOR, migration_differences, roles};

/// An index of the partitions of a table, to be created before the migration that creates it where it is missing.
///
/// An index of a partitioned table cannot be created concurrently, and no migration can name the partitions, which depend
/// on when the database was made. While a migration creates the index of a partition, writes to it wait: seconds for
/// millions of rows.
struct PartitionIndex {
    migration: i64,
    table: &'static str,
    /// Of the index's name, after that of the partition.
    suffix: &'static str,
    definition: &'static str,
}

const INDEXES_OF_PARTITIONS: [PartitionIndex; 2] = [
    PartitionIndex {
        migration: 20,
        table: "deliveries",
        suffix: "received_at_idx",
        definition: "(received_at)",
    },
    PartitionIndex {
        migration: 48,
        table: "deliveries",
        suffix: "sealed_idx",
        definition: "(id) where body_sealed",
    },
];

impl PartitionIndex {
    /// Partitions without rows are left to the migration.
    async fn create(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        let partitions: Vec<String> = sqlx::query_scalar(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = ('aftercall.' || $1)::regclass and pg_relation_size(c.oid) > 0 order by c.relname",
        )
        .bind(self.table)
        .fetch_all(&mut *db)
        .await?;
        for partition in partitions {
            let Self { suffix, definition, .. } = self;
            let statement = format!(
                "create index concurrently if not exists {partition}_{suffix} on aftercall.{partition} {definition}"
            );
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await?;
        }
        Ok(())
    }
}

/// Waits for the lock without a statement that waits: `create index concurrently` waits for all statements that began
/// before it, and so would never end.
async fn lock_migrations(db: &mut PgConnection) -> sqlx::Result<()> {
    loop {
        let is_locked = sqlx::query_scalar!(
            r#"select pg_try_advisory_lock(hashtext('aftercall.migrate')) as "is_locked!""#
        );
        if is_locked.fetch_one(&mut *db).await? {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Creates the roles and applies missing migrations, one process at a time: an advisory lock makes the others wait.
/// Without the right to create roles, everything belongs to the session's own role.
pub async fn migrate(db: &PgPool) -> Result<(), MigrateError> {
    let mut connection = db.acquire().await?;
    // The lock and the role end with it.
    connection.close_on_drop();
    lock_migrations(&mut connection).await?;
    if !roles::grant(&mut connection).await? {
        tracing::warn!(
            "the database roles of Aftercall are missing or lack rights, and this one may not change that; an administrator can: \
             `aftercall migrate --print-roles` prints the statements (docs/deployment.md, \"Database roles\")"
        );
    }
    roles::become_owner(&mut connection).await?;
    drop_unfinished_indexes(&mut connection).await?;
    // Otherwise a migration keeps its locks while its commit waits for the disk. A crash takes back the last ones together
    // with the rows that say they were applied.
    sqlx::raw_sql("set synchronous_commit = off").execute(&mut *connection).await?;
    let missing = migration_differences(&mut connection).await?.missing;
    for index in INDEXES_OF_PARTITIONS {
        if missing.contains(&index.migration) {
            MIGRATOR.run_to(index.migration - 1, &mut *connection).await?;
            index.create(&mut connection).await?;
        }
    }
    MIGRATOR.run(&mut *connection).await?;
    sqlx::raw_sql("reset synchronous_commit; reset role").execute(&mut *connection).await?;
    // Whoever starts on this schema can rely on it: with this commit, those before are on disk, and on a synchronous standby.
    sqlx::raw_sql("select pg_logical_emit_message(true, 'aftercall', 'migrated')")
        .execute(&mut *connection)
        .await?;
    roles::grant(&mut connection).await?;
    Ok(())
}

/// Drops what a `create index concurrently` that was interrupted has left: an index that no query uses, and that
/// `if not exists` would take for the finished one when the migration is repeated.
async fn drop_unfinished_indexes(db: &mut PgConnection) -> sqlx::Result<()> {
    let unfinished: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', c.relnamespace::regnamespace::text, c.relname)
        from pg_index i join pg_class c on c.oid = i.indexrelid and c.relkind = 'i'
        where not i.indisvalid and c.relnamespace = to_regnamespace('aftercall')
            and not exists (select from pg_stat_progress_create_index p where p.index_relid = c.oid)",
    )
    .fetch_all(&mut *db)
    .await?;
    for index in unfinished {
        tracing::warn!(index, "an index was not finished; dropping it, to be created again");
        let statement = AssertSqlSafe(format!("drop index concurrently if exists {index}"));
        sqlx::raw_sql(statement).execute(&mut *db).await?;
    }
    Ok(())
}
