//! One connection, from its first request to its end.
use std::{
    convert::Infallible, future::poll_fn, net::SocketAddr, pin::pin, task::Poll, time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::{
    host::HostFault,
    seat::{Busy, Seat},
    unread::Attended,
};
use crate::http::holding::Holding;

/// A connected client.
pub struct Peer {
    pub stream: TcpStream,
    pub sender: SocketAddr,
    /// See [`super::Terms::write`].
    pub write_timeout: Duration,
}

/// Signals that end a connection from our side, besides its seat.
pub struct Ends {
    /// After the response in progress; immediately when there is none.
    pub stop: CancellationToken,
    /// Immediately.
    pub cut: CancellationToken,
}

pub fn run(
    http: &http1::Builder,
    peer: Peer,
    router: Router,
    seat: Seat,
    ends: Ends,
) -> impl Future<Output = ()> + Send + use<> {
    let Peer { stream, sender, write_timeout } = peer;
    // The end of a long response must not wait until its beginning is acknowledged.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let http = http.clone();
    async move {
        let io = TokioIo::new(Attended::new(stream, write_timeout, seat.unread()));
        let answer = service_fn(|request| answered(request, sender, &router, &seat));
        let mut connection = pin!(http.serve_connection(io, answer));
        let asked_to_end = async {
            tokio::select! {
                () = ends.stop.cancelled() => {}
                () = seat.asked_to_leave() => {}
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = ends.cut.cancelled() => return,
            () = asked_to_end => {
                connection.as_mut().graceful_shutdown();
                // A request may have arrived meanwhile; an incomplete head does not count.
                let looked = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx))).await;
                match looked {
                    Poll::Ready(ended) => Some(ended),
                    Poll::Pending if seat.is_idle() => return,
                    Poll::Pending => {
                        seat.stays_for_now();
                        ends.cut.run_until_cancelled(connection).await
                    }
                }
            }
        };
        if let Some(Err(error)) = ended {
            tracing::debug!(%error, "connection aborted");
        }
    }
}

async fn answered(
    mut request: Request<Incoming>,
    sender: SocketAddr,
    router: &Router,
    seat: &Seat,
) -> Result<Response<Holding<Busy>>, Infallible> {
    let busy = seat.busy();
    if let Some(fault) = HostFault::of(request.version(), request.headers()) {
        request.extensions_mut().insert(fault);
    }
    request.extensions_mut().insert(ConnectInfo(sender));
    let response = router.clone().call(request.map(Body::new)).await?;
    Ok(response.map(|body| Holding::new(body, busy)))
}
