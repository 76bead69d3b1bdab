//! Connection handling: slow, silent or too many connections, and clients that do not read.
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use aftercall::http::{self, Terms};
use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures_util::stream;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::support::{app::TestApp, eventually, soon};

/// A running listener.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Served {
    fn start(router: Router, terms: Terms) -> Self {
        let listener = http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(http::serve(listener, router, terms, stop.clone()));
        Self { address, stop, serving }
    }

    async fn stop(self) {
        self.stop.cancel();
        soon("the end of the listener", self.serving).await.unwrap();
    }

    async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.unwrap())
    }

    /// Connects from another address of this machine.
    async fn connect_from(&self, address: &str) -> Connection {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        Connection(socket.connect(self.address).await.unwrap())
    }

    /// A client that takes a few bytes and then stops reading.
    async fn connect_and_not_read(&self, path: &str) -> Connection {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut connection = Connection(socket.connect(self.address).await.unwrap());
        connection.send(&get_request(path)).await;
        connection
    }
}

struct Connection(TcpStream);

impl Connection {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The response, up to the end of the connection.
    async fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut told = Vec::new();
        soon("the end of the connection", self.0.read_to_end(&mut told)).await.map(|_| told)
    }

    async fn is_answered(&mut self) -> bool {
        let mut told = [0; 5];
        self.0.write_all(get_request("/").as_bytes()).await.is_ok()
            && soon("an answer", self.0.read_exact(&mut told)).await.is_ok()
            && told == *b"HTTP/"
    }

    /// Waits for a response, after which the connection is idle.
    async fn idle(mut self) -> Self {
        self.send(&get_request("/")).await;
        let mut told = Vec::new();
        while !told.ends_with(b"hello") {
            assert_ne!(soon("an answer", self.0.read_buf(&mut told)).await.unwrap(), 0);
        }
        self
    }

    /// Whether it was closed without a response.
    async fn is_closed(&mut self) -> bool {
        self.rest().await.is_ok_and(|told| told.is_empty())
    }
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

fn greeting() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// `/wait` never responds, and reports that it was requested.
fn waiting(asked: tokio::sync::mpsc::UnboundedSender<()>) -> Router {
    let wait = async move || {
        asked.send(()).unwrap();
        std::future::pending::<()>().await;
    };
    greeting().route("/wait", get(wait))
}

#[tokio::test]
async fn a_request_whose_head_does_not_come_is_cut_off() {
    let terms = Terms { head: Duration::from_millis(50), ..Terms::default() };
    let served = Served::start(greeting(), terms);
    for head in ["", "GET / HTTP/1.1\r\nhost: a\r\nx: "] {
        let mut connection = served.connect().await;
        connection.send(head).await;
        let told = connection.rest().await.unwrap();
        assert!(!String::from_utf8_lossy(&told).contains("hello"), "{told:?}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_listener_that_stops_waits_for_answers_and_for_nothing_else() {
    let (ask, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let (finish, finished) = oneshot::channel::<()>();
    let finished = Arc::new(tokio::sync::Mutex::new(Some(finished)));
    let answer = async move || {
        ask.send(()).unwrap();
        finished.lock().await.take().unwrap().await.unwrap();
        "hello"
    };
    let served = Served::start(Router::new().route("/", get(answer)), Terms::default());
    let mut half = served.connect().await;
    half.send("GET / HTTP/1.1\r\n").await;
    let mut whole = served.connect().await;
    whole.send(&get_request("/")).await;
    soon("its request", was_asked.recv()).await.unwrap();
    served.stop.cancel();
    assert!(half.is_closed().await);
    finish.send(()).unwrap();
    let told = String::from_utf8(whole.rest().await.unwrap()).unwrap();
    assert!(told.contains("connection: close") && told.ends_with("hello"), "{told}");
    served.stop().await;
}

#[tokio::test]
async fn a_head_is_of_bounded_length() {
    let served = Served::start(greeting(), Terms::default());
    let mut connection = served.connect().await;
    connection.send(&format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "x".repeat(17_000))).await;
    let mut told = [0; 12];
    soon("an answer", connection.0.read_exact(&mut told)).await.unwrap();
    assert_eq!(told, *b"HTTP/1.1 431");
    served.stop().await;
}

/// An endless response, and a signal for when it is dropped.
fn endless() -> (Router, oneshot::Receiver<()>) {
    let (held, dropped) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let answer = async move || {
        let held = held.lock().unwrap().take();
        Body::from_stream(stream::repeat_with(move || {
            let _ = &held;
            Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 8192]))
        }))
    };
    (Router::new().route("/", get(answer)), dropped)
}

#[tokio::test]
async fn who_stops_to_read_is_cut_off() {
    let (router, given_up) = endless();
    let terms = Terms { write: Duration::from_millis(50), ..Terms::default() };
    let served = Served::start(router, terms);
    let mut connection = served.connect_and_not_read("/").await;
    assert!(soon("the end of the answer", given_up).await.is_err(), "it was dropped");
    assert!(connection.rest().await.is_err(), "nobody takes the beginning for the whole");
    served.stop().await;
}

#[tokio::test]
async fn who_reads_gets_everything() {
    let size = 4 << 20;
    let router = Router::new().route("/", get(async move || vec![b'x'; size]));
    let served = Served::start(router, Terms::default());
    let mut connection = served.connect_and_not_read("/").await;
    let mut told = Vec::new();
    while told.len() < size {
        assert_ne!(soon("more", connection.0.read_buf(&mut told)).await.unwrap(), 0);
    }
    served.stop().await;
}

#[tokio::test]
async fn the_one_idle_for_longest_makes_room_and_no_other() {
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let terms = Terms { connections: 3, ..Terms::default() };
    let served = Served::start(waiting(asked), terms);
    let mut busy = served.connect().await;
    busy.send(&get_request("/wait")).await;
    soon("its request", was_asked.recv()).await.unwrap();
    let mut half = served.connect().await;
    half.send("GET / HTTP/1.1\r\n").await;
    let mut idle = served.connect().await.idle().await;

    let mut next = served.connect().await.idle().await;
    assert!(half.is_closed().await, "half of a head is no request");
    let _another = served.connect().await.idle().await;
    assert!(idle.is_closed().await);
    assert!(next.is_answered().await);

    // No connection is idle any more.
    let mut all = Vec::new();
    for _ in 0..2 {
        let mut connection = served.connect().await;
        connection.send(&get_request("/wait")).await;
        soon("its request", was_asked.recv()).await.unwrap();
        all.push(connection);
    }
    assert!(served.connect().await.is_closed().await);
    drop(all);
    eventually("room again", async || served.connect().await.is_answered().await.then_some(()))
        .await;
    drop(busy);
    served.serving.abort();
}

#[tokio::test]
async fn an_address_that_has_its_share_leaves_the_others_theirs() {
    let terms = Terms { per_address: 2, ..Terms::default() };
    let served = Served::start(greeting(), terms);
    let mut other = served.connect_from("127.0.0.2").await.idle().await;
    let mut first = served.connect().await.idle().await;
    let mut second = served.connect().await.idle().await;
    let mut third = served.connect().await.idle().await;
    assert!(first.is_closed().await);
    for connection in [&mut other, &mut second, &mut third] {
        assert!(connection.is_answered().await);
    }
    served.stop().await;
}

#[tokio::test]
async fn a_listener_that_is_given_up_takes_its_connections_with_it() {
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let served = Served::start(waiting(asked), Terms::default());
    let mut busy = served.connect().await;
    busy.send(&get_request("/wait")).await;
    soon("its request", was_asked.recv()).await.unwrap();
    served.serving.abort();
    assert!(busy.is_closed().await);
}

#[tokio::test]
async fn a_request_has_one_host() {
    let app = TestApp::start().await;
    let [api, webhook] =
        [&app.api, &app.webhook].map(|router| Served::start(router.clone(), Terms::default()));
    for (head, code) in [
        ("GET /v1/jobs HTTP/1.1\r\n", "missing"),
        ("GET /v1/jobs HTTP/1.1\r\nhost: a\r\nhost: a\r\n", "repeated"),
        ("GET /v1/jobs HTTP/1.0\r\nhost: a\r\nHost: b\r\n", "repeated"),
        ("GET /v1/jobs HTTP/1.1\r\nhost: a/b\r\n", "format"),
    ] {
        let request = format!("{head}connection: close\r\n\r\n");
        let (status, body) = ask(&api, &request).await;
        assert_eq!(status, 400, "{head}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["code"], "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "Host");
        assert_eq!(problem["errors"][0]["code"], code, "{head}");
        assert_eq!(problem["instance"], "/v1/jobs");
        assert_eq!(ask(&webhook, &request).await, (400, String::new()), "{head}");
    }
    let old = "GET /livez HTTP/1.0\r\n\r\n";
    assert_eq!(ask(&api, old).await, (200, "ok\n".to_owned()));
    api.stop().await;
    webhook.stop().await;
}

/// Status and body of the last response on a connection.
async fn ask(served: &Served, request: &str) -> (u16, String) {
    let mut connection = served.connect().await;
    connection.send(request).await;
    let told = String::from_utf8(connection.rest().await.unwrap()).unwrap();
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn an_upload_that_takes_too_long_is_the_senders_fault() {
    let app = TestApp::with(|s| s.api.request_timeout = Duration::from_millis(200)).await;
    let served = Served::start(app.api.clone(), Terms::default());
    let request = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"contentUri\":",
        app.key
    );
    let (status, body) = ask(&served, &request).await;
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &problem["code"]), (408, &"body-too-slow".into()));
    served.stop().await;
}
