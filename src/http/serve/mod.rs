//! A listener: serves HTTP/1.1 connections, as many as its terms allow, until it is stopped.
mod connection;
mod host;
mod room;
mod seat;
mod site;
mod unread;

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Router, serve::Listener};
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    connection::{Ends, Peer},
    room::Room,
    seat::Seat,
};

pub use self::{
    host::HostFault,
    site::{address, site},
};
use crate::metrics::ListenerMetrics;

/// Longer than clients usually keep idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Maximum bytes read ahead per connection; a body is passed on in pieces of this size.
const READ_AHEAD: usize = 64 * 1024;
/// Maximum bytes of a request's head; larger ones get a 431.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes of a response that the system buffers before the client has read any. The system's own maximum of several
/// megabytes would hide for minutes that a client has stopped reading.
const SEND_BUFFER: u32 = 256 * 1024;
/// Connections established by the system that are not accepted yet.
const BACKLOG: u32 = 1024;
/// A full listener logs this at most once in this time.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// The limits of a listener.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Longest time until the head of a request is complete, counted from the end of the previous one. Slower or idle
    /// connections are closed.
    pub head: Duration,
    /// Longest time for which a client may read nothing while there is data for it.
    pub write: Duration,
    /// Maximum concurrent connections.
    pub connections: usize,
    /// Maximum concurrent connections per address (for IPv6, per /64).
    pub per_address: usize,
    pub metrics: ListenerMetrics,
}

impl Default for Terms {
    /// Without limits on connections.
    fn default() -> Self {
        Self {
            head: HEAD_TIMEOUT,
            write: Duration::from_secs(30),
            connections: usize::MAX,
            per_address: usize::MAX,
            metrics: ListenerMetrics::default(),
        }
    }
}

/// A listener whose small send buffers reveal early that a client does not read.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Otherwise a restart would have to wait until the system has forgotten the last connections.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves requests until `stop` is canceled, then finishes those in progress. Dropping the future closes its
/// connections immediately.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    terms: Terms,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(terms.head);
    http.max_buf_size(READ_AHEAD).max_header_size(MAX_HEAD);
    let room = Room::new(terms.connections, terms.per_address, terms.metrics);
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    let _with_us = cut.clone().drop_guard();
    let mut logged_at: Option<Instant> = None;
    while let Some((stream, sender, seat)) =
        stop.run_until_cancelled(next(&mut listener, &room)).await
    {
        let Some(seat) = seat else {
            if logged_at.is_none_or(|at| at.elapsed() > TELL_EVERY) {
                logged_at = Some(Instant::now());
                tracing::warn!(
                    "connection limit reached and no connection is idle; closing new connections"
                );
            }
            continue;
        };
        let ends = Ends { stop: stop.clone(), cut: cut.clone() };
        let peer = Peer { stream, sender, write_timeout: terms.write };
        open.spawn(connection::run(&http, peer, router.clone(), seat, ends));
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// The next connection, with a seat if there is one.
async fn next(listener: &mut TcpListener, room: &Room) -> (TcpStream, SocketAddr, Option<Seat>) {
    let (stream, sender) = Listener::accept(listener).await;
    (stream, sender, room.seat(sender.ip()).await)
}
