//! A connection's seat and its activity.
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::room::Room;

/// Value of `idle_since` while the connection is not idle.
const BUSY: u64 = u64::MAX;

#[derive(Debug)]
pub struct Sitting {
    pub site: IpAddr,
    /// [`BUSY`] from the head of a request to the end of its response.
    idle_since: AtomicU64,
    /// Whether the client has yet to read what was written.
    has_unread: AtomicBool,
    asked_to_leave: Notify,
}

/// A connection's seat; dropped when it ends.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    sitting: Arc<Sitting>,
    room: Room,
}

/// A request in progress.
#[derive(Debug)]
pub struct Busy {
    sitting: Arc<Sitting>,
    room: Room,
}

/// Reports whether a client has yet to read what was written.
#[derive(Debug)]
pub struct Unread(Arc<Sitting>);

impl Sitting {
    /// Idle since `turn`.
    pub fn new(site: IpAddr, turn: u64) -> Self {
        Self {
            site,
            idle_since: AtomicU64::new(turn),
            has_unread: AtomicBool::new(false),
            asked_to_leave: Notify::new(),
        }
    }

    pub fn ask_to_leave(&self) {
        self.asked_to_leave.notify_one();
    }

    /// `None` while a request is in progress or the client has not read a response.
    pub fn idle_since(&self) -> Option<u64> {
        let since = self.idle_since.load(Ordering::Relaxed);
        (since != BUSY && !self.has_unread.load(Ordering::Relaxed)).then_some(since)
    }
}

impl Seat {
    pub fn new(number: u64, sitting: Arc<Sitting>, room: Room) -> Self {
        Self { number, sitting, room }
    }

    /// Until the returned value is dropped, the connection is not idle.
    pub fn busy(&self) -> Busy {
        self.sitting.idle_since.store(BUSY, Ordering::Relaxed);
        self.room.metrics().began();
        Busy { sitting: self.sitting.clone(), room: self.room.clone() }
    }

    pub fn unread(&self) -> Unread {
        Unread(self.sitting.clone())
    }

    pub fn is_idle(&self) -> bool {
        self.sitting.idle_since().is_some()
    }

    pub async fn asked_to_leave(&self) {
        self.sitting.asked_to_leave.notified().await;
    }

    /// Call when asked to leave while still busy.
    pub fn stays_for_now(&self) {
        self.room.look_again();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.left(self.number, self.sitting.site);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.sitting.idle_since.store(self.room.turn(), Ordering::Relaxed);
        self.room.metrics().ended();
    }
}

impl Unread {
    pub fn set(&self, there_is: bool) {
        self.0.has_unread.store(there_is, Ordering::Relaxed);
    }
}
