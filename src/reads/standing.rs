//! How far a server that should be a replica has come.
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor};
use tokio::time::{Instant, sleep};

use super::position::Position;

/// Pauses between two looks at a replica: short at first, as most are only a moment behind.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The state of a server, as it says itself.
#[derive(Debug)]
struct Standing {
    is_standby: bool,
    system: i64,
    database: i64,
    /// `None` outside of recovery.
    timeline: Option<i32>,
    /// Everything before it has been replayed. `None`: it does not replay WAL.
    lsn: Option<i64>,
    /// When the last transaction that it has was committed, by the primary's clock.
    replayed_at: Option<DateTime<Utc>>,
}

/// What a server is to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It has everything up to the position.
    CaughtUp,
    /// Changes are missing: bytes of WAL, and the age of the last one that it has.
    Behind { bytes: i64, age: Option<TimeDelta> },
    /// Another cluster or database, or one whose history is another since a promotion.
    NotAReplica,
}

impl Standing {
    /// The timeline is that of the last restart point: it may be out of date, but never ahead. So a server that has left
    /// the primary's history is not mistaken for one that follows it.
    async fn of(db: impl PgExecutor<'_>) -> sqlx::Result<Self> {
        sqlx::query_as!(
            Self,
            r#"
            select pg_is_in_recovery() as "is_standby!",
                (select system_identifier from pg_control_system()) as "system!",
                (select oid::int8 from pg_database where datname = current_database()) as "database!",
                (select greatest(c.timeline_id, r.min_recovery_end_timeline)
                    from pg_control_checkpoint() c, pg_control_recovery() r) as timeline,
                (pg_last_wal_replay_lsn() - '0/0')::int8 as lsn,
                pg_last_xact_replay_timestamp() as replayed_at
            "#
        )
        .fetch_one(db)
        .await
    }

    fn compared_with(&self, position: &Position) -> Found {
        let is_replica = self.is_standby
            && self.system == position.system
            && self.database == position.database
            && self.timeline == Some(position.timeline);
        match self.lsn {
            Some(lsn) if is_replica && lsn >= position.lsn => Found::CaughtUp,
            Some(lsn) if is_replica => {
                let age = self.replayed_at.map(|at| position.at - at);
                Found::Behind { bytes: position.lsn - lsn, age }
            }
            _ => Found::NotAReplica,
        }
    }
}

/// Looks until the server has replayed everything up to `position`, for at most `limit`.
pub async fn wait_for(
    server: &mut PgConnection,
    position: &Position,
    limit: Duration,
) -> sqlx::Result<Found> {
    let until = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let found = Standing::of(&mut *server).await?.compared_with(position);
        if !matches!(found, Found::Behind { .. }) || Instant::now() + pause > until {
            return Ok(found);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica() -> Standing {
        Standing {
            is_standby: true,
            system: 7,
            database: 5,
            timeline: Some(2),
            lsn: Some(100),
            replayed_at: None,
        }
    }

    fn found(standing: &Standing) -> Found {
        let position =
            Position { system: 7, database: 5, timeline: 2, lsn: 100, at: DateTime::UNIX_EPOCH };
        standing.compared_with(&position)
    }

    #[test]
    fn only_what_has_the_same_history_is_a_replica() {
        assert_eq!(found(&replica()), Found::CaughtUp);
        assert_eq!(found(&Standing { lsn: Some(101), ..replica() }), Found::CaughtUp);
        let behind = Found::Behind { bytes: 1, age: None };
        assert_eq!(found(&Standing { lsn: Some(99), ..replica() }), behind);
        let others = [
            Standing { is_standby: false, ..replica() },
            Standing { system: 8, ..replica() },
            Standing { database: 6, ..replica() },
            Standing { timeline: Some(1), ..replica() },
            Standing { timeline: None, ..replica() },
            Standing { lsn: None, ..replica() },
        ];
        for other in others {
            assert_eq!(found(&other), Found::NotAReplica, "{other:?}");
        }
    }
}
