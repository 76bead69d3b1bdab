//! Stores that do not work as they should.
use std::{fs, time::Duration};

use super::TONE;
use crate::support::{app::TestApp, eventually};

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_nothing_but_a_503() {
    let app = TestApp::start().await;
    let id = app.uploaded().await;
    // Even root cannot create a file in a file.
    let (incoming, aside) = (app.folder().join("incoming"), app.folder().join("aside"));
    fs::rename(&incoming, &aside).unwrap();
    fs::write(&incoming, "").unwrap();
    let other = super::wav(1, 8000, 16, 1000, 1000);
    let problem = app.upload(other.clone()).await.problem(503, "media-store-unavailable");
    assert!(!problem.to_string().contains("incoming"), "{problem}");
    assert_eq!(app.count("select count(*) from aftercall.media").await, 1);

    // What is stored is still there, and once the folder is back, uploads are possible again.
    assert_eq!(app.get(&format!("/v1/media/{id}")).await.body, TONE);
    fs::remove_file(&incoming).unwrap();
    fs::rename(&aside, &incoming).unwrap();
    assert_eq!(app.upload(other).await.status, 201);
}

#[tokio::test]
async fn a_folder_that_takes_no_objects_leaves_no_row() {
    let app = TestApp::start().await;
    // The folder of the caller's objects cannot be created.
    let caller: uuid::Uuid = sqlx::query_scalar("select id from aftercall.callers")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    let folder = app.folder().join(caller.to_string());
    fs::write(&folder, "").unwrap();
    app.upload(TONE).await.problem(503, "media-store-unavailable");
    assert_eq!(app.count("select count(*) from aftercall.media where removed_at is null").await, 0);
    fs::remove_file(&folder).unwrap();
    assert_eq!(app.upload(TONE).await.status, 201);
    eventually("no other file", async || (app.files().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn an_object_that_is_gone_breaks_the_download_off() {
    let app = TestApp::start().await;
    let id = app.uploaded().await;
    for file in app.files() {
        fs::remove_file(file).unwrap();
    }
    let request = app.request("GET", &format!("/v1/media/{id}")).body(axum::body::Body::empty());
    let response = tower::ServiceExt::oneshot(app.api.clone(), request.unwrap()).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body());
    assert!(tokio::time::timeout(Duration::from_secs(10), body).await.unwrap().is_err());
}
