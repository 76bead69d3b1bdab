//! How the applied migrations differ from those of this binary.
use std::collections::HashMap;

use sqlx::PgConnection;

use super::MIGRATOR;

/// How the applied migrations differ from those of this binary.
#[derive(Debug, Clone, Default)]
pub struct MigrationDifferences {
    pub missing: Vec<i64>,
    /// Applied with another content.
    pub changed: Vec<i64>,
    /// Number of applied migrations that this binary does not know.
    pub newer: usize,
}

pub async fn migration_differences(db: &mut PgConnection) -> sqlx::Result<MigrationDifferences> {
    let has_table = sqlx::query_scalar!(
        r#"select to_regclass('aftercall.schema_migrations') is not null as "has!""#
    );
    let mut applied = HashMap::new();
    if has_table.fetch_one(&mut *db).await? {
        // Checked at run time: only sqlx's own table has the checksum.
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "select version, checksum from aftercall.schema_migrations where success",
        )
        .fetch_all(&mut *db)
        .await?;
        applied.extend(rows);
    }
    let mut differences = MigrationDifferences::default();
    for migration in MIGRATOR.iter() {
        match applied.remove(&migration.version) {
            None => differences.missing.push(migration.version),
            Some(checksum) if checksum != *migration.checksum => {
                differences.changed.push(migration.version);
            }
            Some(_) => {}
        }
    }
    differences.newer = applied.len();
    Ok(differences)
}
