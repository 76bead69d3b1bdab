//! Limits the connections of a listener by seats. When all are taken, the connection that has been
//! idle the longest is closed for the next one.
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{
    seat::{Seat, Sitting},
    site::site,
};
use crate::metrics::ListenerMetrics;

/// The seats of one listener.
#[derive(Debug, Clone)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    most_of_site: usize,
    taken: Mutex<Taken>,
    /// Notified when a connection leaves, or was asked to and stays for now.
    moved: Notify,
    metrics: ListenerMetrics,
    /// A counter that orders idle connections by age, cheaper than reading a clock per request.
    turns: AtomicU64,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    seats: HashMap<u64, Arc<Sitting>>,
    of_site: HashMap<IpAddr, usize>,
}

enum Found {
    Seat(Seat),
    /// An idle connection was asked to leave.
    Soon,
    Nothing,
}

impl Room {
    pub fn new(most: usize, most_of_site: usize, metrics: ListenerMetrics) -> Self {
        Self(Arc::new(Inner {
            most,
            most_of_site,
            taken: Mutex::default(),
            moved: Notify::new(),
            metrics,
            turns: AtomicU64::new(0),
        }))
    }

    /// A seat for a connection from `address`, waiting for an idle one to leave if necessary;
    /// `None` when none is idle. An address at its limit replaces its own idle connections.
    pub async fn seat(&self, address: IpAddr) -> Option<Seat> {
        let site = site(address);
        loop {
            let mut moved = std::pin::pin!(self.0.moved.notified());
            moved.as_mut().enable();
            match self.find(site) {
                Found::Seat(seat) => return Some(seat),
                Found::Soon => moved.await,
                Found::Nothing => return None,
            }
        }
    }

    fn find(&self, site: IpAddr) -> Found {
        let mut taken = self.taken();
        let has_its_share =
            taken.of_site.get(&site).is_some_and(|count| *count >= self.0.most_of_site);
        if !has_its_share && taken.seats.len() < self.0.most {
            return Found::Seat(self.take(&mut taken, site));
        }
        let idle = taken.seats.values().filter(|it| !has_its_share || it.site == site);
        let longest = idle
            .filter_map(|it| Some((it.idle_since()?, it)))
            .min_by_key(|(idle_since, _)| *idle_since);
        let Some((_, longest)) = longest else { return Found::Nothing };
        longest.ask_to_leave();
        Found::Soon
    }

    fn take(&self, taken: &mut Taken, site: IpAddr) -> Seat {
        let sitting = Arc::new(Sitting::new(site, self.turn()));
        let number = taken.next;
        taken.next += 1;
        taken.seats.insert(number, sitting.clone());
        *taken.of_site.entry(site).or_default() += 1;
        self.0.metrics.connected();
        Seat::new(number, sitting, self.clone())
    }

    pub fn left(&self, number: u64, site: IpAddr) {
        let mut taken = self.taken();
        taken.seats.remove(&number);
        if let Some(count) = taken.of_site.get_mut(&site) {
            *count -= 1;
            if *count == 0 {
                taken.of_site.remove(&site);
            }
        }
        drop(taken);
        self.0.metrics.disconnected();
        self.look_again();
    }

    /// Wakes those that wait for a seat.
    pub fn look_again(&self) {
        self.0.moved.notify_waiters();
    }

    pub fn turn(&self) -> u64 {
        self.0.turns.fetch_add(1, Ordering::Relaxed)
    }

    pub fn metrics(&self) -> &ListenerMetrics {
        &self.0.metrics
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn new_room(most: usize, most_of_site: usize) -> Room {
        Room::new(most, most_of_site, ListenerMetrics::default())
    }

    /// A seat that is free immediately.
    fn at_once(room: &Room, address: &str) -> Seat {
        room.seat(ip(address)).now_or_never().unwrap().unwrap()
    }

    /// Whether it was asked to leave.
    fn is_asked(seat: &Seat) -> bool {
        seat.asked_to_leave().now_or_never().is_some()
    }

    #[tokio::test]
    async fn who_is_idle_for_longest_makes_room() {
        let room = new_room(3, 3);
        let [first, second, third] =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|it| at_once(&room, it));
        drop(first.busy());
        let busy = second.busy();
        let mut next = std::pin::pin!(room.seat(ip("192.0.2.4")));
        assert!(next.as_mut().now_or_never().is_none(), "it waits until the third has left");
        assert!(is_asked(&third) && !is_asked(&second) && !is_asked(&first));
        drop(third);
        let fourth = next.await.unwrap();

        let again = first.busy();
        let all = fourth.busy();
        assert!(room.seat(ip("192.0.2.5")).now_or_never().unwrap().is_none(), "nobody is idle");
        drop((busy, again, all));
    }

    #[tokio::test]
    async fn who_stays_for_now_is_not_waited_for() {
        let room = new_room(2, 2);
        let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|it| at_once(&room, it));
        let mut next = std::pin::pin!(room.seat(ip("192.0.2.3")));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(is_asked(&first));
        let _busy = first.busy();
        first.stays_for_now();
        assert!(next.as_mut().now_or_never().is_none());
        assert!(is_asked(&second));
        drop(second);
        assert!(next.await.is_some());
    }

    #[tokio::test]
    async fn an_address_that_has_its_share_makes_room_by_itself() {
        let room = new_room(10, 2);
        let other = at_once(&room, "2001:db8:0:1::1");
        let own = ["2001:db8::1", "2001:db8::2"].map(|it| at_once(&room, it));
        let mut next = std::pin::pin!(room.seat(ip("2001:db8::3")));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(is_asked(&own[0]) && !is_asked(&other));
        own[0].unread().set(true);
        own[0].stays_for_now();
        let busy = own[1].busy();
        assert!(next.await.is_none(), "one is busy, the other's client has yet to read");
        drop(busy);
        at_once(&room, "2001:db8:0:1::2");
        drop(own);
        at_once(&room, "2001:db8::3");
        drop(other);
        assert!(room.taken().of_site.is_empty());
    }
}
