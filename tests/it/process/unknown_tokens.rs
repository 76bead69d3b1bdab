//! Two thousand connections with unknown tokens to the webhook listener, together with many large uploads: no real
//! delivery is rejected, and memory stays within its limit.
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use aftercall::jobs::{JobId, Token};
use futures_util::future::join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};

use super::{
    Home, Service,
    uploads::{recording, upload},
};
use crate::support::{db::TestDb, fixture};

/// Held by each attacker that has not sent its worst yet.
type Busy = mpsc::Sender<()>;

const ATTACKERS: usize = 2000;
/// Kinds of attackers; see [`molest`].
const KINDS: usize = 5;
/// Source addresses per kind.
const ADDRESSES: usize = 8;
/// How often all attackers connect, and how many real deliveries of each kind go with each wave.
const WAVES: usize = 4;
const TOGETHER: usize = 2;
/// Large recordings uploaded by callers meanwhile, and the size of each in base64.
const UPLOADS: usize = 12;
const RECORDING: usize = 40 << 20;
/// Files that each side needs besides the attackers' connections.
const OTHER_FILES: u64 = 500;

/// Maximum number of unknown tokens of one address that are logged individually in the two minutes the test may span;
/// see `webhook.unknown_tokens`.
const MOST_LOGGED: usize = 2 * 60;

/// The number of attackers, limited by the open files of this process and the service.
fn attackers() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let most = usize::try_from(hard.saturating_sub(OTHER_FILES)).unwrap();
    if most < ATTACKERS {
        eprintln!("only {most} attackers: no more files may be open");
    }
    ATTACKERS.min(most)
}

/// The head of a delivery with a token that was never issued.
fn head(length: usize) -> String {
    let token = Token::new(JobId::generate(), Token::random_secret()).reveal();
    format!("POST /webhooks/{token} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
}

/// A source address of this kind of attackers.
fn address(kind: usize, n: usize) -> Ipv4Addr {
    let [kind, host] = [kind, n % ADDRESSES + 1].map(|part| u8::try_from(part).unwrap());
    Ipv4Addr::new(127, 0, kind, host)
}

async fn connect(from: Ipv4Addr, target: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(target).await
}

/// State shared by the attackers.
struct Front {
    target: SocketAddr,
    turn: Semaphore,
}

/// One connection, from its first byte until the service closes it. Drops `busy` once it has done its worst and only
/// waits.
async fn molest(n: usize, front: &Front, busy: Option<Busy>) -> std::io::Result<()> {
    let (kind, n) = (n % KINDS, n / KINDS);
    let mut stream = connect(address(kind, n), front.target).await?;
    match kind {
        // The last byte of a small body never arrives.
        0 | 1 => {
            let length = if kind == 1 && n % 2 == 0 { 4096 } else { 65_536 };
            stream.write_all(head(length).as_bytes()).await?;
            // One after another, each read before the next arrives: the memory they take stays in use.
            let _turn = front.turn.acquire().await;
            stream.write_all(&vec![b' '; length - 1]).await?;
            let mut other = connect(address(kind, n), front.target).await?;
            other.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await?;
            other.read_to_end(&mut Vec::new()).await?;
        }
        // Neither does the end of a head.
        2 => stream.write_all(b"POST /webhooks/x HTTP/1.1\r\nHost: h\r\nContent-Le").await?,
        // A large body arrives in small pieces.
        3 => {
            stream.write_all(head(32 << 20).as_bytes()).await?;
            drop(busy);
            loop {
                stream.write_all(&[b' '; 1024]).await?;
                tokio::task::yield_now().await;
            }
        }
        // Whole bodies, one after another.
        _ => {
            let request = head(2000) + &" ".repeat(2000);
            for _ in 0..3 {
                stream.write_all(request.as_bytes()).await?;
                if stream.read(&mut [0; 4096]).await? == 0 {
                    break;
                }
            }
        }
    }
    drop(busy);
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// Keeps `count` connections busy until dropped. Rejected attackers reconnect only with the next wave: reconnecting at
/// full speed would occupy the whole machine.
fn besiege(
    count: usize,
    target: SocketAddr,
    busy: &Busy,
    wave: &watch::Receiver<usize>,
) -> JoinSet<()> {
    let front = Arc::new(Front { target, turn: Semaphore::new(4) });
    let mut siege = JoinSet::new();
    for n in 0..count {
        let front = front.clone();
        let (mut busy, mut wave) = (Some(busy.clone()), wave.clone());
        siege.spawn(async move {
            while wave.changed().await.is_ok() {
                // However the connection ends.
                let _ = molest(n, &front, busy.take()).await;
            }
        });
    }
    siege
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// As the provider sends them.
    Whole,
    /// Head and body in pieces, each sent after the previous one has been read.
    Pieces,
    /// Several MiB.
    Large,
}

async fn is_alive(service: &Service) {
    assert_eq!(service.status(&format!("{}/livez", service.ops)).await, 200);
}

/// The first line of the response to a real delivery.
async fn deliver(service: &Service, url: &str, kind: Kind, from: Ipv4Addr) -> String {
    let mut body = fixture("seed/success.json");
    if matches!(kind, Kind::Large) {
        body += &" ".repeat(3 << 20);
    }
    let (_, path) = url.split_once("/webhooks/").unwrap();
    let length = body.len();
    let head = format!(
        "POST /webhooks/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = connect(from, target(service)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let whole = head + &body;
    if matches!(kind, Kind::Pieces) {
        for piece in whole.as_bytes().chunks(whole.len() / 4) {
            stream.write_all(piece).await.unwrap();
            is_alive(service).await;
        }
    } else {
        stream.write_all(whole.as_bytes()).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// `mem_limit` of docker-compose.yml in MiB, which docs/deployment.md adds up.
fn memory_limit() -> usize {
    let compose = include_str!("../../../docker-compose.yml");
    let (_, limit) = compose.split_once("mem_limit: ").unwrap();
    limit.split_once('m').unwrap().0.parse().unwrap()
}

fn target(service: &Service) -> SocketAddr {
    service.webhook.strip_prefix("http://").unwrap().parse().unwrap()
}

#[tokio::test]
async fn no_known_token_is_rejected_whatever_attackers_send() {
    let attackers = attackers();
    let db = TestDb::new().await;
    let home = Home::on(&db)
        .set("AFTERCALL__SANDBOX__LATENCY", "10m")
        .set("AFTERCALL__API__REQUEST_TIMEOUT", "5m");
    let service = Service::start(&home).await;
    let kinds = [Kind::Whole, Kind::Pieces, Kind::Large];
    let urls = service.webhooks(&home, kinds.len() * TOGETHER * WAVES).await;
    let keys = [home.key("one").await, home.key("another").await];

    let (busy, mut all_sent) = mpsc::channel(1);
    let (wave, waves) = watch::channel(0);
    let siege = besiege(attackers, target(&service), &busy, &waves);
    drop(busy);
    wave.send(0).unwrap();
    assert_eq!(all_sent.recv().await, None);
    let recording = recording(RECORDING);
    let uploads = (0..UPLOADS).map(|n| upload(&service, &keys[n % 2], recording.clone()));
    let deliveries = async {
        let mut took = Vec::new();
        for (number, urls) in urls.chunks(kinds.len() * TOGETHER).enumerate() {
            wave.send(number).unwrap();
            let each = urls.iter().enumerate().map(async |(n, url)| {
                // Also from the attackers' addresses.
                let (kind, from) = (kinds[n % kinds.len()], address(n, 0));
                let since = Instant::now();
                let answer = deliver(&service, url, kind, from).await;
                assert_eq!(answer, "HTTP/1.1 200 OK", "{kind:?}");
                is_alive(&service).await;
                since.elapsed()
            });
            took.extend(join_all(each).await);
        }
        took
    };
    let (uploads, mut took) = tokio::join!(join_all(uploads), deliveries);
    assert!(uploads.iter().all(|status| [202, 429, 503].contains(status)), "{uploads:?}");
    let resident = service.process.memory("VmHWM") >> 20;
    assert!(resident < memory_limit(), "{resident} MiB");
    drop(siege);
    took.sort_unstable();
    let (median, last) = (took[took.len() / 2], took[took.len() - 1]);
    eprintln!(
        "deliveries among {attackers} attackers: median {median:?}, longest {last:?}; {resident} MiB; uploads {uploads:?}"
    );
    let query = "select count(*) from aftercall.jobs where state = 'completed'";
    let done: i64 = sqlx::query_scalar(query).fetch_one(&db.pool).await.unwrap();
    assert_eq!(usize::try_from(done), Ok(urls.len()));
    let log = service.process.log();
    let told =
        log.iter().filter(|line| line["msg"] == "responded" && line["listener"] == "webhook");
    let (told, most) = (told.count(), (KINDS - 1) * ADDRESSES * MOST_LOGGED + urls.len());
    assert!(told <= most, "{told} lines about unknown tokens");
    service.stop().await.success();
}
