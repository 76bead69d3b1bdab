//! Recordings in a bucket. `tests/media/run` starts a real S3 implementation for these tests and names it in
//! `TEST_S3_ENDPOINT`; without it, they pass without having tested anything.
use std::time::Duration;

use aftercall::{
    config::{RetentionSettings, StoreEnvironment},
    jobs::Announcer,
    media::Store,
    metrics::Metrics,
    retention::{MediaSweep, Retention},
};
use axum::http::header;
use url::Url;
use uuid::Uuid;

use super::{TONE, wav};
use crate::support::{app::TestApp, db::TestDb, scratch::Scratch};

/// A bucket of this test.
struct Bucket {
    url: String,
    store: Store,
    spool: Scratch,
    http: reqwest::Client,
}

fn store_at(endpoint: &str, bucket: &str, spool: &Scratch, timeout: Duration) -> Store {
    let aws = [
        ("aws_endpoint", endpoint),
        ("aws_allow_http", "true"),
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", "tests"),
        ("aws_secret_access_key", "secret"),
    ];
    let aws = aws.map(|(name, value)| (name.to_owned(), value.into())).into();
    let url = Url::parse(&format!("s3://{bucket}/recordings")).unwrap();
    let spool = spool.path().to_str().unwrap();
    Store::open(&url, spool, timeout, &StoreEnvironment { aws }).unwrap()
}

impl Bucket {
    async fn new() -> Option<Self> {
        let Ok(endpoint) = std::env::var("TEST_S3_ENDPOINT") else {
            eprintln!("TEST_S3_ENDPOINT is not set: nothing is tested; see tests/media/run");
            return None;
        };
        let bucket = format!("b{}", Uuid::now_v7().simple());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20));
        let http = http.build().unwrap();
        let url = format!("{endpoint}/{bucket}");
        assert_eq!(http.put(&url).send().await.unwrap().status(), 200);
        let spool = Scratch::new();
        let store = store_at(&endpoint, &bucket, &spool, Duration::from_secs(20));
        Some(Self { url, store, spool, http })
    }

    async fn text(&self, query: &str) -> String {
        let response = self.http.get(format!("{}?{query}", self.url)).send().await.unwrap();
        response.text().await.unwrap()
    }

    async fn objects(&self) -> usize {
        self.text("list-type=2").await.matches("<Key>").count()
    }

    async fn app(&self) -> TestApp {
        TestApp::on_store(TestDb::new().await, self.store.clone(), |_| {}).await
    }
}

#[tokio::test]
async fn recordings_make_the_round_trip_in_one_part_and_in_several() {
    let Some(bucket) = Bucket::new().await else { return };
    let app = bucket.app().await;
    // 8 MiB are one part.
    let size = 20 << 20;
    let mut large = wav(2, 48000, 16, size, u32::try_from(size).unwrap());
    for (n, byte) in large[44..].iter_mut().enumerate() {
        *byte = u8::try_from(n % 251).unwrap();
    }
    for recording in [TONE.to_vec(), large] {
        let answer = app.upload(recording.clone()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let path = format!("/v1/media/{}", answer.id());
        assert!(app.get(&path).await.body == recording);
        let range = format!("bytes={}-", recording.len() - 5);
        let part = app.ask(app.request("GET", &path).header(header::RANGE, range)).await;
        assert_eq!(part.body, recording[recording.len() - 5..]);
        assert_eq!(app.upload(recording).await.status, 200);
    }
    assert_eq!(bucket.objects().await, 2);
    assert_eq!(std::fs::read_dir(bucket.spool.path()).unwrap().count(), 0);
    let ids: Vec<Uuid> =
        sqlx::query_scalar("select id from aftercall.media").fetch_all(&app.db.pool).await.unwrap();
    for id in ids {
        assert_eq!(app.ask(app.request("DELETE", &format!("/v1/media/{id}"))).await.status, 204);
    }
    assert_eq!(bucket.objects().await, 0);
    assert_eq!(app.count("select count(*) from aftercall.media").await, 0);
    bucket.store.probe().await.unwrap();
}

#[tokio::test]
async fn an_upload_that_was_interrupted_is_aborted() {
    let Some(bucket) = Bucket::new().await else { return };
    let app = bucket.app().await;
    app.uploaded().await;
    let caller: Uuid = sqlx::query_scalar("select caller_id from aftercall.media")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    // As a process would leave it that was killed between two parts.
    let id = Uuid::now_v7();
    let begin = format!("{}/recordings/{caller}/{id}?uploads", bucket.url);
    let response = bucket.http.post(begin).send().await.unwrap().text().await.unwrap();
    let upload_id = response.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap();
    sqlx::query(
        "insert into aftercall.media (id, caller_id, sha256, bytes, encoding, container, codec, channels,
            sample_rate, duration_seconds, created_at, upload_id)
        select $1, caller_id, sha256, bytes, encoding, container, codec, channels, sample_rate,
            duration_seconds, created_at - interval '7 hours', $2
        from aftercall.media",
    )
    .bind(id)
    .bind(upload_id)
    .execute(&app.db.pool)
    .await
    .unwrap();
    assert!(bucket.text("uploads").await.contains(upload_id));
    let orphans_after = Duration::from_hours(6);
    let retention = Retention {
        db: app.db.runtime.clone(),
        settings: RetentionSettings { partitions_ahead: 1, ..RetentionSettings::default() },
        media: Some(MediaSweep { store: bucket.store.clone(), orphans_after }),
        announcer: Announcer::default(),
        metrics: Metrics::default(),
    };
    assert_eq!(retention.apply().await.unwrap().rows.get("media"), Some(&1));
    assert!(!bucket.text("uploads").await.contains(upload_id));
    assert_eq!(bucket.objects().await, 1, "the other recording");
}

#[tokio::test]
async fn a_bucket_that_is_missing_or_gone_costs_nothing_but_a_503() {
    let Some(bucket) = Bucket::new().await else { return };
    let endpoint = bucket.url.rsplit_once('/').unwrap().0;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let short = Duration::from_secs(2);
    for (endpoint, name) in [(endpoint, "missing"), (&nobody, "any")] {
        let store = store_at(endpoint, name, &bucket.spool, short);
        let app = TestApp::on_store(TestDb::new().await, store, |_| {}).await;
        let problem = app.upload(TONE).await.problem(503, "media-store-unavailable");
        assert!(!problem.to_string().contains("http://"), "{problem}");
        let seen = app.count("select count(*) from aftercall.media where removed_at is null").await;
        assert_eq!(seen, 0);
    }
    assert_eq!(std::fs::read_dir(bucket.spool.path()).unwrap().count(), 0);
}

/// A server that accepts connections and never responds.
#[tokio::test]
async fn a_store_that_is_too_slow_costs_nothing_but_a_503() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let spool = Scratch::new();
    let store = store_at(&endpoint, "any", &spool, Duration::from_secs(1));
    let app = TestApp::on_store(TestDb::new().await, store, |_| {}).await;
    app.upload(TONE).await.problem(503, "media-store-unavailable");
    let seen = app.count("select count(*) from aftercall.media where removed_at is null").await;
    assert_eq!(seen, 0);
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0);
}
