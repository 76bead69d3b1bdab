//! The feed of events: what becomes of jobs, told to those who wait for it the moment it is committed.
//!
//! One connection a process, however many wait: it listens for the word that something changed, reads
//! what became visible since the last time, and hands it out in memory.
mod announce;
mod feed;
mod hub;
mod listener;
mod read;
mod snapshot;

pub use announce::announce;
pub use feed::{Feed, NoConnection, Subscription, Wait};
pub use hub::SequencedEvent;
pub use listener::Listener;
pub use read::{
    Event, EventScope, adopt_foreign_xids, is_past, missed, missed_query, since, since_query,
    snapshot,
};
pub use snapshot::{Point, Snapshot};

/// Of `LISTEN` and `NOTIFY`; notifications carry nothing.
const CHANNEL: &str = "aftercall_events";
