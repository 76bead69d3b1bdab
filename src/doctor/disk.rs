//! Whether the database can grow.
use std::path::Path;

use bytesize::ByteSize;
use sqlx::PgPool;

use super::Finding;
use crate::db;

const CHECK: &str = "disk";
/// Free space below which a warning is due, and below which writes soon fail.
const LITTLE: ByteSize = ByteSize::gib(5);
const HARDLY_ANY: ByteSize = ByteSize::gib(1);
const ADVICE: &str =
    "free or add disk space; `aftercall retention --dry-run` shows what retention would delete";

pub async fn space(db: &PgPool) -> sqlx::Result<Finding> {
    // Without its table, this says nothing about the disk.
    sqlx::query!("select from aftercall.write_probe limit 1").fetch_optional(db).await?;
    if let Err(error) = db::probe_writes(db).await {
        let advice =
            "free disk space on the database's server, or connect to one that accepts writes";
        return Ok(Finding::fail(CHECK, format!("writes fail: {error}"), advice));
    }
    let size = sqlx::query_scalar!(r#"select pg_database_size(current_database()) as "size!""#)
        .fetch_one(db)
        .await?;
    let size = ByteSize(u64::try_from(size).unwrap_or_default());
    Ok(match free_space(db).await {
        None => Finding::ok(
            CHECK,
            format!("writes work; the database has {size}, and its disk is on another machine"),
        ),
        Some(free) => judged(free, size),
    })
}

fn judged(free: ByteSize, size: ByteSize) -> Finding {
    let detail = format!("writes work; {free} free, the database has {size}");
    if free < HARDLY_ANY {
        Finding::fail(CHECK, detail, ADVICE)
    } else if free < LITTLE {
        Finding::warn(CHECK, detail, ADVICE)
    } else {
        Finding::ok(CHECK, detail)
    }
}

/// Free space where the data is, if the server is on this machine and names its folder.
async fn free_space(db: &PgPool) -> Option<ByteSize> {
    // The role may not be allowed to read the setting. A server behind a socket is on this machine.
    let folder = sqlx::query_scalar!(
        r#"select current_setting('data_directory') as "folder!" where inet_server_addr() is null"#
    )
    .fetch_optional(db)
    .await
    .ok()??;
    let disk = nix::sys::statvfs::statvfs(Path::new(&folder)).ok()?;
    Some(ByteSize(disk.blocks_available().checked_mul(disk.fragment_size())?))
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn little_space_is_a_warning_and_hardly_any_a_failure() {
        let verdict = |free| judged(free, ByteSize::gib(1)).verdict;
        assert_eq!(verdict(ByteSize::gib(6)), Verdict::Ok);
        assert_eq!(verdict(ByteSize::gib(4)), Verdict::Warn);
        assert_eq!(verdict(ByteSize::mib(900)), Verdict::Fail);
    }
}
