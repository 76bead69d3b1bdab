//! `kill -9` right after a 200 loses nothing: what was acknowledged is stored, and everything else
//! is stored whole or not at all.
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use aftercall::{
    callers::{self, KeyTerms},
    jobs::{self, Announcer, JobId, NewJob},
};
use secrecy::ExposeSecret as _;
use serde_json::Map;
use sqlx::PgPool;

use super::{ends, turns};
use crate::{
    process::{Home, Service},
    support::{app::seal, db::TestDb, fixture},
};

/// One in this many kills happens before the response is read.
const BLIND: usize = 4;

/// A submitted job and the path of its webhook.
struct Waiting {
    id: JobId,
    webhook: String,
}

async fn submitted(db: &PgPool, number: usize) -> Vec<Waiting> {
    let caller = sqlx::query_scalar("select id from aftercall.callers");
    let caller_id = caller.fetch_one(db).await.unwrap();
    let mut tx = Announcer::default().begin(db).await.unwrap();
    let members = Map::new();
    for _ in 0..number {
        let new = NewJob {
            id: JobId::generate(),
            caller_id,
            caller: "app",
            external_id: None,
            tags: &[],
            metadata: "{}",
            request: &members,
            content: None,
            media_id: None,
            recording_sha: None,
            deadline: Duration::from_hours(1),
            trace_context: None,
            notify: None,
        };
        jobs::enqueue(&mut tx, &seal(), &new).await.unwrap();
    }
    let hour = Duration::from_hours(1);
    let mut waiting = Vec::new();
    for claimed in jobs::claim(&mut tx, &seal(), "default", number, hour).await.unwrap() {
        assert!(jobs::mark_submitted(&mut tx, &claimed, Some("rc-1"), hour).await.unwrap());
        let webhook = format!("/webhooks/{}", claimed.token.reveal());
        waiting.push(Waiting { id: claimed.job_id, webhook });
    }
    tx.commit().await.unwrap();
    waiting
}

/// Sends the result over a new connection.
fn send(service: &Service, job: &Waiting) -> TcpStream {
    let address = service.webhook.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = fixture("delivery-2023.json").replace("@jobId", "rc-1");
    let Waiting { webhook, .. } = job;
    let length = body.len();
    let request =
        format!("POST {webhook} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Reads only the beginning of the status line.
fn read_200(mut stream: TcpStream) {
    let mut status = *b"HTTP/1.1 ...";
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

/// What is stored for a job before its result is delivered again.
async fn stored(db: &PgPool, job: &Waiting) -> (String, i64, i64) {
    let query = "
        select state, (select count(*) from aftercall.results where job_id = id),
            (select count(*) from aftercall.utterances where job_id = id)
        from aftercall.jobs where id = $1";
    sqlx::query_as(query).bind(job.id).fetch_one(db).await.unwrap()
}

#[tokio::test]
async fn what_was_answered_200_is_there_after_a_kill() {
    let kills = turns(16);
    let db = TestDb::new().await;
    let key = callers::create(&db.pool, "tester", "test", KeyTerms::default()).await.unwrap();
    let home = Home::on(&db).set("AFTERCALL__ROLES", "api,webhook");
    let jobs = submitted(&db.pool, kills).await;
    let mut kept_unread = 0;
    let mut service = Service::without_key(&home).await;
    for (number, job) in jobs.iter().enumerate() {
        let stream = send(&service, job);
        let is_blind = number % BLIND == 0;
        if is_blind {
            // A little later each time: from before the body is read until after the commit.
            (0..number * 99_991 % 1_000_003).for_each(|_| std::hint::spin_loop());
        } else {
            read_200(stream);
        }
        service.process.kill_hard();

        service = Service::without_key(&home).await;
        key.text.expose_secret().clone_into(&mut service.key);
        if is_blind {
            let stored = stored(&db.pool, job).await;
            let is_whole = stored == ("completed".to_owned(), 1, 3);
            assert!(is_whole || stored == ("submitted".to_owned(), 0, 0), "{stored:?}");
            kept_unread += usize::from(is_whole);
            read_200(send(&service, job));
        }
        let result = service.get(&format!("/v1/jobs/{}/result", job.id)).await;
        assert_eq!(result["utteranceInsights"].as_array().unwrap().len(), 3);
    }
    eprintln!("{kills} kills; of {} unread answers {kept_unread} were kept", kills.div_ceil(BLIND));
    service.stop().await.success();
    let end = "completed via webhook, attempts: accepted, 1 result, 3 utterances, \
        queued submitting submitted completed";
    assert_eq!(ends(&db.pool).await, [(end.to_owned(), i64::try_from(kills).unwrap())]);
}
