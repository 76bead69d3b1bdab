//! What a receiver gets, and what the sender makes of receivers that behave badly.
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aftercall::egress::{Answer, Message, Outcome, Secret, SendError, Sender, Sent, Target};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::any,
};
use bytes::Bytes;
use secrecy::ExposeSecret as _;
use standardwebhooks::Webhook;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use url::Url;

use super::settings;
use crate::support::{scratch::Scratch, tls};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

fn message() -> Message {
    let body = Bytes::from_static(b"{\"type\":\"notify.test\",\"data\":{}}");
    Message { id: "msg_0199f0c2".to_owned(), timestamp: now(), body, traceparent: None }
}

fn sender(timeout: Duration) -> Sender {
    let mut settings = settings(&["127.0.0.1", "localhost"], false);
    settings.timeout = timeout;
    Sender::new(&settings).unwrap()
}

fn target(url: &str) -> Target {
    Target { url: url.parse().unwrap(), secrets: vec![Secret::generate()] }
}

/// Every URL has credentials, which no outcome may show.
fn url_of(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://me:hush@{address}/hook?token=hush")
}

async fn send_to(url: &str) -> Sent {
    let sent = sender(Duration::from_secs(30)).send(&target(url), &message()).await;
    assert!(!format!("{sent:?}").contains("hush"), "{sent:?}");
    sent
}

fn failure(sent: Sent) -> SendError {
    match sent.outcome {
        Outcome::Failed(error) => {
            assert!(!error.to_string().contains("hush"), "{error}");
            error
        }
        Outcome::Answered(answer) => panic!("{answer:?}"),
    }
}

fn answer(sent: Sent) -> Answer {
    match sent.outcome {
        Outcome::Answered(answer) => answer,
        Outcome::Failed(error) => panic!("{error:?}"),
    }
}

/// A receiver that responds like this.
async fn receiver(
    respond: impl Fn(HeaderMap, Bytes) -> Response + Clone + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url_of("http", listener.local_addr().unwrap());
    let respond =
        any(move |headers, body: Bytes| std::future::ready(respond.clone()(headers, body)));
    tokio::spawn(axum::serve(listener, Router::new().fallback(respond)).into_future());
    url
}

/// A receiver that has its own idea of the protocol. The connection closes when `speak` ends.
async fn listener<F>(speak: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(speak(connection));
        }
    });
    address
}

/// Responds with these bytes, whatever it is asked, and keeps the connection open.
async fn parrot(bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let address = listener(move |mut connection| {
        let bytes = bytes.clone();
        async move {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
    });
    url_of("http", address.await)
}

#[tokio::test]
async fn the_official_library_verifies_what_arrives_with_either_secret() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let url = receiver(move |headers, body| {
        arrived.send((headers, body)).unwrap();
        StatusCode::NO_CONTENT.into_response()
    });
    let secrets = vec![Secret::generate(), Secret::generate()];
    let to = Target { url: url.await.parse().unwrap(), secrets };
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let message = Message { traceparent: Some(traceparent.to_owned()), ..message() };
    let sent = sender(Duration::from_secs(30)).send(&to, &message).await;
    assert!(sent.is_success(), "{sent:?}");
    let (headers, body) = arrivals.recv().await.unwrap();
    assert_eq!(body, message.body);
    for secret in &to.secrets {
        let library = Webhook::new(secret.reveal().expose_secret()).unwrap();
        library.verify(&body, &headers).unwrap();
        library.verify(b"{}", &headers).unwrap_err();
    }
    let stranger = Webhook::new(Secret::generate().reveal().expose_secret()).unwrap();
    stranger.verify(&body, &headers).unwrap_err();
    assert_eq!(headers["webhook-id"], message.id);
    assert_eq!(headers["traceparent"], traceparent);
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(headers[header::USER_AGENT], concat!("Aftercall/", env!("CARGO_PKG_VERSION")));
    // `me:hush`
    assert_eq!(headers[header::AUTHORIZATION], "Basic bWU6aHVzaA==");
}

#[tokio::test]
async fn only_a_2xx_is_a_success_and_the_start_of_the_response_is_kept() {
    for status in [200, 202, 204, 299] {
        let status = StatusCode::from_u16(status).unwrap();
        let sent = send_to(&receiver(move |_, _| status.into_response()).await).await;
        assert!(sent.is_success(), "{status}");
    }
    for status in [300, 304, 400, 410, 429, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let respond = move |_, _| (status, [(header::RETRY_AFTER, "17")], "a\0b").into_response();
        let sent = send_to(&receiver(respond).await).await;
        assert!(!sent.is_success(), "{status}");
        let answer = answer(sent);
        assert_eq!((answer.status, answer.retry_after), (status, Some(Duration::from_secs(17))));
        let expected = if status == StatusCode::NOT_MODIFIED { "" } else { "ab" };
        assert_eq!(answer.start, expected);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let (reached, mut arrivals) = mpsc::unbounded_channel();
    let elsewhere = receiver(move |_, _| {
        reached.send(()).unwrap();
        StatusCode::OK.into_response()
    });
    let elsewhere = elsewhere.await;
    for redirect in [Redirect::to, Redirect::permanent, Redirect::temporary] {
        let elsewhere = elsewhere.clone();
        let url = receiver(move |_, _| redirect(&elsewhere).into_response()).await;
        let sent = send_to(&url).await;
        assert!(!sent.is_success());
        assert!(answer(sent).status.is_redirection());
    }
    arrivals.try_recv().unwrap_err();
}

#[tokio::test]
async fn a_body_without_end_costs_two_kilobytes() {
    let endless = || {
        let chunks =
            futures_util::stream::repeat(Ok::<_, std::convert::Infallible>("é".repeat(1000)));
        Body::from_stream(chunks).into_response()
    };
    let answer = answer(send_to(&receiver(move |_, _| endless()).await).await);
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.start.starts_with("éé") && answer.start.len() <= 2050, "{}", answer.start.len());
}

#[tokio::test]
async fn a_body_that_never_comes_does_not_undo_the_status() {
    let url = parrot("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab").await;
    let sent = sender(Duration::from_millis(200)).send(&target(&url), &message()).await;
    assert!(sent.is_success(), "{sent:?}");
    assert_eq!(answer(sent).start, "ab");
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nA: b\r\n"] {
        let timeout = Duration::from_millis(200);
        let sent = sender(timeout).send(&target(&parrot(bytes).await), &message()).await;
        assert!(sent.latency >= timeout);
        assert_eq!(failure(sent), SendError::TimedOut(timeout));
    }
}

#[tokio::test]
async fn what_is_not_http_is_named_so() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1000));
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(1 << 20));
    for bytes in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "\0\0\0\0\0\0\0\0", &many, &long] {
        let error = failure(send_to(&parrot(bytes).await).await);
        assert!(matches!(error, SendError::NotHttp(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_or_hangs_up_is_unreachable() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hangs_up = listener(async |connection| drop(connection)).await;
    for address in [nobody, hangs_up] {
        let error = failure(send_to(&url_of("http", address)).await);
        assert!(matches!(error, SendError::Unreachable(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_named() {
    let plain = receiver(|_, _| StatusCode::OK.into_response()).await;
    let behind = Url::parse(&plain).unwrap().socket_addrs(|| None).unwrap()[0].to_string();
    let folder = Scratch::new();
    let encrypted = tls::proxy(folder.path(), behind).await;
    let url = encrypted.replace("://", "://me:hush@") + "/hook?token=hush";
    let error = failure(send_to(&url).await);
    assert!(matches!(error, SendError::Tls(_)), "{error:?}");
    let error = failure(send_to(&plain.replace("http:", "https:")).await);
    assert!(matches!(error, SendError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn what_the_guard_refuses_is_never_connected_to() {
    let error = failure(send_to("http://me:hush@127.0.0.9/?token=hush").await);
    assert_eq!(error.kind(), "refused");
    assert!(error.to_string().contains("adding 127.0.0.9 to notify.allow"), "{error}");
    let error = failure(send_to("https://me:hush@nowhere.invalid/?token=hush").await);
    assert_eq!(error.kind(), "not_resolved");
}

#[tokio::test]
async fn connections_are_kept_for_the_next_message() {
    let (accepted, mut connections) = mpsc::unbounded_channel();
    let address = listener(move |mut connection| {
        accepted.send(()).unwrap();
        async move {
            let mut request = [0; 4096];
            while connection.read(&mut request).await.is_ok_and(|length| length > 0) {
                let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                connection.write_all(response).await.unwrap();
            }
        }
    });
    let (sender, to) = (sender(Duration::from_secs(30)), target(&url_of("http", address.await)));
    for _ in 0..5 {
        assert_eq!(answer(sender.send(&to, &message()).await).start, "ok");
    }
    connections.recv().await.unwrap();
    connections.try_recv().unwrap_err();
}
