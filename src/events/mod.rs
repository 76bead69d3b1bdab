//! The feed of events: pushes changes of jobs to waits and streams as soon as they are committed.
//!
//! Each process uses one connection, however many clients wait: it listens for notifications, reads what became visible
//! since the last look, and distributes it in memory.
mod announce;
mod feed;
mod hub;
mod listener;
mod read;
mod relay;
mod snapshot;

use sqlx::PgPool;

pub use announce::announce;
pub use feed::{Feed, JobWait, NoConnection, Subscription};
pub use hub::SequencedEvent;
pub use listener::Listener;
pub use read::{
    Event, EventScope, adopt_foreign_xids, is_past, missed, missed_query, since, since_query,
    snapshot,
};
pub use relay::relay;
pub use snapshot::{Point, Snapshot};

/// The connections of the feed and of [`relay`].
#[derive(Debug, Clone)]
pub struct Listening {
    /// For its connect options, which may change.
    pub db: PgPool,
    /// Whether they have sessions of their own. Through a pooler, `LISTEN` would have other clients notified, whose
    /// statements then fail.
    pub is_possible: bool,
}

/// The `LISTEN`/`NOTIFY` channel; notifications have no payload.
const CHANNEL: &str = "aftercall_events";

/// Why a connection that listens is given up although it still works.
fn moved() -> sqlx::Error {
    let why = "new connections lead to another server, or have another password";
    sqlx::Error::Io(std::io::Error::other(why))
}
