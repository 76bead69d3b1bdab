//! Recordings that are deleted: by their owner, for their age, and after an interrupted upload.
use std::time::Duration;

use aftercall::{
    config::RetentionSettings,
    jobs::Announcer,
    metrics::Metrics,
    retention::{Applied, MediaSweep, Retention},
};
use serde_json::json;
use uuid::Uuid;

use crate::support::app::{TestApp, folder_store};

async fn apply(app: &TestApp, age: Option<Duration>) -> Applied {
    let settings =
        RetentionSettings { partitions_ahead: 1, media: age, ..RetentionSettings::default() };
    let sweep =
        MediaSweep { store: folder_store(app.folder()), orphans_after: Duration::from_hours(6) };
    let retention = Retention {
        db: app.db.runtime.clone(),
        settings,
        media: Some(sweep),
        announcer: Announcer::default(),
        metrics: Metrics::default(),
    };
    retention.apply().await.unwrap()
}

#[tokio::test]
async fn a_recording_that_a_job_needs_cannot_be_deleted() {
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    let path = format!("/v1/media/{media}");
    let id = app.post("/v1/jobs", &json!({ "media": media })).await.id();
    app.ask(app.request("DELETE", &path)).await.problem(409, "state-conflict");
    app.ask(app.request("POST", &format!("/v1/jobs/{id}/cancel"))).await;
    assert_eq!(app.ask(app.request("DELETE", &path)).await.status, 204);
    assert!(app.files().is_empty());
    assert_eq!(app.count("select count(*) from aftercall.media").await, 0);
    app.get(&path).await.problem(404, "media-not-found");
    app.ask(app.request("DELETE", &path)).await.problem(404, "media-not-found");

    // The job stays, but cannot be retried; and the same bytes are a new recording.
    app.about(id, "update aftercall.jobs set state = 'failed' where id = $1").await;
    let retry = app.ask(app.request("POST", &format!("/v1/jobs/{id}/retry"))).await;
    retry.problem(410, "recording-expired");
    assert_eq!(app.job(id).await["state"], "failed");
    assert_ne!(app.uploaded().await, media);
}

#[tokio::test]
async fn a_recording_goes_at_its_age_after_its_last_job_and_never_before() {
    const AGE: Duration = Duration::from_hours(30 * 24);
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    let unused = app.upload(super::wav(1, 8000, 16, 1000, 1000)).await.id();
    let id = app.post("/v1/jobs", &json!({ "media": media })).await.id();
    for media in [media, unused] {
        app.about(
            media,
            "update aftercall.media set created_at = created_at - interval '31 days' where id = $1",
        )
        .await;
    }
    assert_eq!(apply(&app, None).await.rows.get("media"), None);
    assert_eq!(apply(&app, Some(AGE)).await.rows.get("media"), Some(&1), "the unused one");
    app.get(&format!("/v1/media/{unused}")).await.problem(404, "media-not-found");
    app.ask(app.request("POST", &format!("/v1/jobs/{id}/cancel"))).await;
    assert_eq!(apply(&app, Some(AGE)).await.rows.get("media"), None);
    app.about(
        id,
        "update aftercall.jobs set finished_at = finished_at - interval '31 days' where id = $1",
    )
    .await;
    assert_eq!(apply(&app, Some(AGE)).await.rows.get("media"), Some(&1));
    assert!(app.files().is_empty());
}

#[tokio::test]
async fn what_an_interrupted_upload_left_is_swept_and_never_seen() {
    let app = TestApp::start().await;
    let media = app.uploaded().await;
    // As a process would leave it that was killed between the object and the row.
    app.about(media, "update aftercall.media set stored_at = null where id = $1").await;
    let spooled = app.folder().join("incoming").join(Uuid::now_v7().to_string());
    std::fs::write(&spooled, "RIFF").unwrap();
    app.get(&format!("/v1/media/{media}")).await.problem(404, "media-not-found");
    let job = app.post("/v1/jobs", &json!({ "media": media })).await;
    assert_eq!(job.faults(), ["#/media unknown"]);

    assert_eq!(apply(&app, None).await.rows.get("media"), None, "it may still be in progress");
    assert_eq!(app.files().len(), 2);
    app.about(
        media,
        "update aftercall.media set created_at = created_at - interval '7 hours' where id = $1",
    )
    .await;
    let old = std::time::SystemTime::now() - Duration::from_hours(7);
    std::fs::File::open(&spooled).unwrap().set_modified(old).unwrap();
    assert_eq!(apply(&app, None).await.rows.get("media"), Some(&1));
    assert!(app.files().is_empty());
    assert_eq!(app.upload(super::TONE).await.status, 201);
}
