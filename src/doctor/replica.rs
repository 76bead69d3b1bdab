//! The read replica, as the service looks at it.
use super::Finding;
use crate::reads::{Found, Reads};

const CHECK: &str = "read replica";

/// `None`: none is configured.
pub async fn replica(reads: &Reads) -> Option<Finding> {
    let instead = "until then, reads go to the primary";
    let finding = match reads.watch()?.find().await {
        Ok(Found::CaughtUp) => Finding::ok(CHECK, "has everything that the primary has"),
        Ok(Found::Behind { bytes, .. }) => {
            let detail = format!(
                "{} of WAL behind the primary",
                bytesize::ByteSize(bytes.max(0).unsigned_abs())
            );
            let advice = format!(
                "see on the replica whether replay is paused (select pg_get_wal_replay_pause_state()) and whether it \
                 receives WAL (pg_stat_wal_receiver); {instead}"
            );
            Finding::warn(CHECK, detail, advice)
        }
        Ok(Found::NotAReplica) => {
            let advice = format!(
                "point database.read_url to the same database on a streaming replica of database.url; after a failover, \
                 one is recognized once it has made a restart point (`checkpoint` on the replica); {instead}"
            );
            Finding::fail(CHECK, "is not a replica of the primary, or has left its history", advice)
        }
        Err(fault) => {
            let advice =
                format!("check database.read_url, its password and that Postgres is up; {instead}");
            Finding::fail(CHECK, format!("cannot be asked: {}", fault.name()), advice)
        }
    };
    Some(finding)
}
