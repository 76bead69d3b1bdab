//! Uploaded recordings through the real process.
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::stream;
use reqwest::Method;
use serde_json::json;

use super::{Home, SAMPLE, Service, writes::SmallDisk};
use crate::{
    media::wav,
    support::{db::TestDb, eventually},
};

const MIB: usize = 1 << 20;

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_private_recording_is_uploaded_analyzed_and_deleted() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    let (status, media) = service.upload(fs::read(SAMPLE).unwrap()).await;
    assert_eq!(status, 201, "{media}");
    let body = json!({ "media": media["id"], "separateSpeakerPerChannel": true });
    let (status, job) = service.send(Method::POST, "/v1/jobs", Some(&body)).await;
    assert_eq!(status, 202, "{job}");
    // The sandbox fetches it from the webhook listener, as the provider does.
    let job = service.finished(job["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "completed", "{job:#}");
    assert_eq!(job["media"], media["id"]);
    let path = format!("/v1/media/{}", media["id"].as_str().unwrap());
    assert_eq!(service.send(Method::DELETE, &path, None).await.0, 204);
    assert!(files(&home.data().join("media")).is_empty());

    // No log line has the URL, and the ledger of the sandbox has it only as it was sent.
    let ledger = fs::read_to_string(home.data().join("sandbox.jsonl")).unwrap();
    let (_, token) = ledger.split_once("/media/").unwrap();
    let token = token.split('"').next().unwrap().to_owned();
    assert_eq!(token.len(), 64);
    let ended = service.stop().await;
    assert!(!ended.out.contains(&token) && !ended.err.contains(&token));
    ended.success();
}

#[tokio::test]
async fn a_process_killed_amid_an_upload_leaves_nothing_to_see() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let mut service = Service::start(&home).await;
    let folder = home.data().join("media");
    let recording = wav(1, 8000, 16, 8 * MIB, u32::try_from(8 * MIB).unwrap());
    let mut connection = TcpStream::connect(service.api.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /v1/media HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        service.key,
        recording.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&recording[..recording.len() / 2]).unwrap();
    eventually("half of it arrives", async || {
        let half =
            files(&folder).iter().any(|file| fs::metadata(file).is_ok_and(|it| it.len() > 1 << 21));
        half.then_some(())
    })
    .await;
    service.process.kill_hard();
    let mut rest = Vec::new();
    let _ = connection.read_to_end(&mut rest); // perhaps a reset
    let left = files(&folder);
    assert!(left.len() == 1 && left[0].parent().unwrap().ends_with("incoming"), "{left:?}");
    let rows: i64 = sqlx::query_scalar("select count(*) from aftercall.media")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(rows, 0);
    // The command does what the service does every hour; the file may belong to an upload in progress until it is old.
    home.run(&["retention"]).await.success();
    assert_eq!(files(&folder), left);
    let old = SystemTime::now() - Duration::from_hours(7);
    fs::File::open(&left[0]).unwrap().set_modified(old).unwrap();
    home.run(&["retention"]).await.success();
    assert!(files(&folder).is_empty());

    let mut service = Service::without_key(&home).await;
    service.key = home.key("tester").await;
    assert_eq!(service.upload(recording).await.0, 201);
    service.stop().await.success();
}

#[tokio::test]
async fn a_connection_that_ends_early_stores_nothing() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    let mut connection = TcpStream::connect(service.api.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /v1/media HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: 2000\r\n\r\n",
        service.key
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&wav(1, 8000, 16, 1000, 1000)).unwrap();
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    eventually("nothing is left", async || {
        files(&home.data().join("media")).is_empty().then_some(())
    })
    .await;
    let rows: i64 = sqlx::query_scalar("select count(*) from aftercall.media")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(rows, 0);
    service.stop().await.success();
}

#[tokio::test]
async fn a_large_upload_takes_no_memory() {
    const SIZE: usize = 256 * MIB;
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    // What is allocated once is.
    assert_eq!(service.upload(wav(1, 8000, 16, MIB, u32::try_from(MIB).unwrap())).await.0, 201);
    let before = service.process.memory("VmRSS");
    let head = Bytes::from(wav(2, 48000, 16, 0, u32::try_from(SIZE).unwrap()));
    let chunk = Bytes::from(vec![1; MIB]);
    let chunks = std::iter::once(head).chain(std::iter::repeat_n(chunk, SIZE / MIB));
    let body = reqwest::Body::wrap_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)));
    let (status, media) = service.upload(body).await;
    assert_eq!(status, 201, "{media}");
    assert_eq!(media["bytes"], SIZE + 44);
    let grown = service.process.memory("VmHWM").saturating_sub(before);
    eprintln!("grown by {} KiB", grown / 1024);
    assert!(grown < 32 * MIB, "{grown}");
    service.stop().await.success();
}

#[tokio::test]
async fn reading_a_long_recording_takes_no_memory() {
    const SIZE: usize = 64 * MIB;
    let db = TestDb::new().await;
    // Without the sandbox, which would fetch the recording into this process.
    let home = Home::on(&db).set("AFTERCALL__ROLES", "api");
    let service = Service::start(&home).await;
    let recording = wav(2, 8000, 16, SIZE, u32::try_from(SIZE).unwrap());
    let (status, media) = service.upload(recording).await;
    assert_eq!(status, 201, "{media}");
    let body = json!({ "media": media["id"] });
    let (_, job) = service.send(Method::POST, "/v1/jobs", Some(&body)).await;
    let before = service.process.memory("VmRSS");
    let path = format!("/v1/jobs/{}/peaks?points=50", job["id"].as_str().unwrap());
    let peaks = eventually("peaks", async || {
        // A 504 where decoding takes longer than a request.
        let (status, peaks) = service.send(Method::GET, &path, None).await;
        (status == 200).then_some(peaks)
    })
    .await;
    assert_eq!(peaks["channels"].as_array().unwrap().len(), 2, "{peaks}");
    let url = format!("{}/v1/media/{}", service.api, media["id"].as_str().unwrap());
    for _ in 0..4 {
        let mut download = service.http.get(&url).bearer_auth(&service.key).send().await.unwrap();
        let mut bytes = 0;
        while let Some(chunk) = download.chunk().await.unwrap() {
            bytes += chunk.len();
        }
        assert_eq!(bytes, SIZE + 44);
    }
    let grown = service.process.memory("VmHWM").saturating_sub(before);
    eprintln!("grown by {} KiB", grown / 1024);
    assert!(grown < 24 * MIB, "{grown}");
    service.stop().await.success();
}

#[tokio::test]
async fn a_full_disk_costs_nothing_but_a_503() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let Some(disk) = SmallDisk::mounted_on(&home.path().join("disk")) else {
        eprintln!("no file system can be mounted here: nothing is tested");
        return;
    };
    let folder = disk.0.join("media");
    let home = home.set("AFTERCALL__MEDIA__STORE", format!("file://{}", folder.display()));
    let service = Service::start(&home).await;
    let recording = wav(1, 8000, 16, MIB, u32::try_from(MIB).unwrap());
    let ballast = disk.fill();
    let (status, problem) = service.upload(recording.clone()).await;
    assert_eq!((status, &problem["code"]), (503, &json!("media-store-unavailable")), "{problem}");
    let report = home.run(&["doctor", "--json"]).await.out;
    assert!(report.contains("check media.store"), "{report}");
    eventually("nothing is left", async || files(&folder).is_empty().then_some(())).await;
    // It has no effect on anything else.
    assert_eq!(service.status(&format!("{}/readyz", service.ops)).await, 200);

    fs::remove_file(ballast).unwrap();
    assert_eq!(service.upload(recording).await.0, 201);
    service.stop().await.success();
}
