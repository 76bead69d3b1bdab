//! One listener: HTTP/1.1 connections, until it is told to stop.
use std::time::Duration;

use axum::{Router, body::Body, extract::ConnectInfo, http::Request, serve::Listener};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

/// A good `patience` of [`serve`]: longer than clients keep idle connections.
pub const HEAD_PATIENCE: Duration = Duration::from_secs(75);
/// Most bytes that are read ahead on one connection; a body passes through in pieces of this.
const READ_AHEAD: usize = 64 * 1024;

/// Answers requests until `stop` is cancelled, then finishes those in flight.
///
/// `patience`: longest time until the head of a request is there, counted from the end of the one before
/// it. Who is slower, or idle for longer, is cut off.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(READ_AHEAD);
    let connections = GracefulShutdown::new();
    loop {
        let (stream, sender) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        // The end of a long answer must not wait until its beginning is acknowledged.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let router = router.clone();
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(sender));
            router.clone().call(request.map(Body::new))
        });
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}
