//! The server's version and extensions, the migrations and the partitions.
use sqlx::PgPool;

use super::Finding;
use crate::db;

/// The oldest major version that is supported.
const OLDEST: i32 = 15;
/// New partitions are made every hour, so fewer days than this mean that this has not worked for weeks.
const FEW_DAYS: i32 = 28;

pub async fn version(db: &PgPool) -> sqlx::Result<Finding> {
    let row = sqlx::query!(
        r#"select current_setting('server_version') as "version!",
            current_setting('server_version_num')::int / 10000 as "major!",
            current_database()::text as "database!", pg_is_in_recovery() as "is_standby!""#
    )
    .fetch_one(db)
    .await?;
    let detail = format!("PostgreSQL {}, database {}", row.version, row.database);
    Ok(if row.major < OLDEST {
        let advice = format!("upgrade Postgres to {OLDEST} or newer");
        Finding::fail("database", detail, advice)
    } else if row.is_standby {
        Finding::fail("database", format!("{detail}, a standby"), "connect to the primary server")
    } else {
        Finding::ok("database", detail)
    })
}

pub async fn extensions(db: &PgPool) -> sqlx::Result<Finding> {
    let others = sqlx::query_scalar!(
        r#"select extname::text as "name!" from pg_extension where extname <> 'plpgsql' order by 1"#
    )
    .fetch_all(db)
    .await?;
    let detail = if others.is_empty() {
        "none needed, none installed".to_owned()
    } else {
        format!("none needed; installed: {}", others.join(", "))
    };
    Ok(Finding::ok("extensions", detail))
}

/// `migrates`: whether the service applies missing migrations when it starts.
pub async fn migrations(db: &PgPool, migrates: bool) -> sqlx::Result<Finding> {
    const CHECK: &str = "migrations";
    let differences = db::migration_differences(&mut *db.acquire().await?).await?;
    if let Some(version) = differences.changed.first() {
        let detail = format!("migration {version} was applied with another content");
        let advice = "the database belongs to another version of Aftercall: use a release that has this migration";
        return Ok(Finding::fail(CHECK, detail, advice));
    }
    let count = db::MIGRATOR.iter().count();
    Ok(match (differences.missing.len(), differences.newer) {
        (0, 0) => Finding::ok(CHECK, format!("all {count} applied")),
        (0, newer) => {
            Finding::ok(CHECK, format!("all {count} applied, and {newer} of a newer release"))
        }
        (missing, _) if migrates => Finding::warn(
            CHECK,
            format!("{missing} of {count} not applied"),
            "run `aftercall migrate`, or start the service, which applies them",
        ),
        (missing, _) => Finding::fail(
            CHECK,
            format!("{missing} of {count} not applied"),
            "run `aftercall migrate`: the service does not start before",
        ),
    })
}

pub async fn partitions(db: &PgPool) -> sqlx::Result<Finding> {
    const CHECK: &str = "partitions";
    let tables = db::days_until_no_partition(db).await?;
    let Some((table, days)) = tables.iter().min_by_key(|(_, days)| *days) else {
        return Ok(Finding::warn(CHECK, "there are none", "run `aftercall migrate`"));
    };
    let advice = "run `aftercall migrate` now; a process with the role worker should make them every hour: look \
                  for \"a retention rule failed\" in its log";
    Ok(match *days {
        ..=0 => {
            Finding::fail(CHECK, format!("{table} has none for this month: writes fail"), advice)
        }
        1..FEW_DAYS => {
            Finding::warn(CHECK, format!("{table} has some for {days} days only"), advice)
        }
        FEW_DAYS.. => {
            Finding::ok(CHECK, format!("{} tables have some for {days} days or more", tables.len()))
        }
    })
}
