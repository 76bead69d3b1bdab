//! The memory of the real process during many concurrent uploads.
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::header;

use super::{Home, Service};
use crate::support::{db::TestDb, eventually};

const MIB: usize = 1 << 20;
/// Size of each recording in base64.
const SIZE: usize = 40 * MIB;
const UPLOADS: usize = 12;
/// `api.memory`: room for one recording.
const MEMORY: usize = 320 * MIB;

/// The maximum that docs/deployment.md states for a process with the role `api` alone.
const fn bound() -> usize {
    96 * MIB + MEMORY
}

/// A request for a job with inline content of this size.
pub fn recording(size: usize) -> Bytes {
    Bytes::from(format!(r#"{{"encoding":"Wav","content":"{}"}}"#, "A".repeat(size)))
}

/// The status of the response.
pub async fn upload(service: &Service, key: &str, body: Bytes) -> u16 {
    let request = service.http.post(format!("{}/v1/jobs", service.api)).bearer_auth(key);
    let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
    match request.timeout(Duration::from_mins(5)).send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            assert_eq!(answer.headers().contains_key("retry-after"), [429, 503].contains(&status));
            status
        }
        // Closed while the body was being sent, which may lose the response.
        Err(error) if !error.is_timeout() => 429,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn twelve_large_recordings_at_once_stay_within_the_bound_and_stop_nobody() {
    let db = TestDb::new().await;
    let home = Home::on(&db)
        .set("AFTERCALL__ROLES", "api")
        .set("AFTERCALL__API__REQUEST_TIMEOUT", "5m")
        .set("AFTERCALL__API__MAX_BODY", "44MiB")
        .set("AFTERCALL__API__MEMORY", MEMORY.to_string())
        .set("AFTERCALL__API__MEMORY_PER_CALLER", MEMORY.to_string());
    let service = Service::start(&home).await;
    let body = recording(SIZE);
    let upload = |body: &Bytes| upload(&service, &service.key, body.clone());
    let small = async {
        for _ in 0..5 {
            let small = r#"{"contentUri":"https://media.example/a.wav","encoding":"Wav"}"#;
            assert_eq!(upload(&Bytes::from_static(small.as_bytes())).await, 202);
            assert_eq!(service.status(&format!("{}/livez", service.ops)).await, 200);
        }
    };
    let uploads = join_all((0..UPLOADS).map(|_| upload(&body)));
    let (answers, ()) = tokio::join!(uploads, small);
    assert!(answers.iter().all(|status| [202, 429].contains(status)), "{answers:?}");
    assert!(answers.contains(&202) && answers.contains(&429), "{answers:?}");
    let again = async || (upload(&body).await == 202).then_some(());
    eventually("room for another one", again).await;
    let peak = service.process.memory("VmHWM");
    eprintln!("peak {} of {} MiB; {answers:?}", peak / MIB, bound() / MIB);
    assert!(peak < bound(), "{} of {} MiB", peak / MIB, bound() / MIB);
    service.stop().await.success();
}
