//! One listener: HTTP/1.1 connections, as many as its terms allow, until it is told to stop.
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

pub use self::{host::HostFault, site::site};

/// Longer than clients keep idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Most bytes that are read ahead on one connection; a body passes through in pieces of this.
const READ_AHEAD: usize = 64 * 1024;
/// Most bytes of the head of a request; one with more is answered 431.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes of an answer that the system takes over before its client has read any. What it may take at
/// most without being told, megabytes, would hide for minutes that a client has stopped to read.
const SEND_BUFFER: u32 = 256 * 1024;
/// Connections that the system has made and we have not taken yet.
const BACKLOG: u32 = 1024;
/// A listener that is full says so once in this time.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// What a listener grants to those who connect.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Longest time until the head of a request is there, counted from the end of the one before it.
    /// Who is slower, or idle for longer, is cut off.
    pub head: Duration,
    /// Longest time in which a client takes nothing of what there is for it.
    pub write: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address (of IPv6: one /64).
    pub per_address: usize,
}

impl Default for Terms {
    /// As many connections as come.
    fn default() -> Self {
        Self {
            head: HEAD_TIMEOUT,
            write: Duration::from_secs(30),
            connections: usize::MAX,
            per_address: usize::MAX,
        }
    }
}

/// A listener that knows soon that somebody does not read.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else a restart would have to wait until the system has forgotten the last connections.
    socket.set_reuseaddr(true)?;
    // The connections take it over.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers requests until `stop` is cancelled, then finishes those in flight. When this is dropped, its
/// connections end at once.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    terms: Terms,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(terms.head);
    http.max_buf_size(READ_AHEAD).max_header_size(MAX_HEAD);
    let room = Room::new(terms.connections, terms.per_address);
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

/// The next connection, and its seat if there is one.
async fn next(listener: &mut TcpListener, room: &Room) -> (TcpStream, SocketAddr, Option<Seat>) {
    let (stream, sender) = Listener::accept(listener).await;
    (stream, sender, room.seat(sender.ip()).await)
}
