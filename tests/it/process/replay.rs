//! `aftercall replay`: by id and by filter, without a running service and beside one.
use uuid::Uuid;

use super::Home;
use crate::{
    admin::once_unreadable,
    support::{app::TestApp, fixture},
};

async fn quarantine(app: &TestApp) -> (Uuid, Uuid) {
    let job = app.submitted().await;
    let id = once_unreadable(app, &job, &fixture("seed/success.json")).await;
    (job.id, id)
}

#[tokio::test]
async fn one_delivery_is_replayed_by_its_id() {
    let app = TestApp::start().await;
    let home = Home::on(&app.db);
    let (job, id) = quarantine(&app).await;
    let id = id.to_string();
    let counted = home.run(&["replay", &id, "--dry-run"]).await.success();
    assert_eq!(counted, "matched 1\n");
    assert_eq!(app.job(job).await["state"], "submitted");
    assert_eq!(home.run(&["replay", &id]).await.success(), "accepted 1\n");
    assert_eq!(app.job(job).await["completedVia"], "replay");
    assert_eq!(app.last_event(job).await["by"], "the command line");
    assert_eq!(home.run(&["replay", &id]).await.success(), "superseded 1\n");
    let unknown = home.run(&["replay", &Uuid::now_v7().to_string()]).await.failure(1);
    assert!(unknown.contains("no delivery matches"), "{unknown}");
}

#[tokio::test]
async fn what_is_in_quarantine_is_replayed_all_together() {
    let app = TestApp::start().await;
    let home = Home::on(&app.db);
    let (first, _) = quarantine(&app).await;
    let (second, _) = quarantine(&app).await;
    let other = app.submitted().await;
    app.deliver(&other.webhook, "{").await;
    let foreign = fixture("delivery-2023.json").replace("@jobId", "rc-other");
    app.deliver(&other.webhook, foreign).await;

    for (filter, matched) in [
        (&["--quarantined"][..], 4),
        (&["--outcome", "malformed", "--outcome", "late"], 3),
        (&["--job", &first.to_string()], 1),
        (&["--received-after", "1h", "--received-before", "2999-01-01T00:00:00Z"], 4),
    ] {
        let counted = home.run(&[&["replay", "--dry-run"], filter].concat()).await.success();
        assert_eq!(counted, format!("matched {matched}\n"), "{filter:?}");
    }
    for id in [first, second, other.id] {
        assert_eq!(app.job(id).await["state"], "submitted", "a dry run changes nothing");
    }
    let told = home.run(&["replay", "--quarantined"]).await.success();
    assert_eq!(told, "accepted 2\nmalformed 1\nmismatch 1\n");
    let told = home.run(&["replay", "--outcome", "mismatch", "--accept-mismatch"]).await;
    assert_eq!(told.success(), "accepted 1\n");
    for id in [first, second, other.id] {
        assert_eq!(app.job(id).await["completedVia"], "replay");
    }
    let none = home.run(&["replay", "--received-before", "30d"]).await.failure(1);
    assert!(none.contains("no delivery matches"), "{none}");
}

#[tokio::test]
async fn what_to_replay_must_be_said() {
    let home = Home::new();
    for (wrong, told) in [
        (&["replay"][..], "required"),
        (&["replay", "--dry-run"], "required"),
        (&["replay", "--outcome", "lost"], "malformed"),
        (&["replay", "--received-after", "yesterday"], "an age like 7d"),
        (&["reparse"], "--since"),
        (&["reparse", "--until", "1d"], "--since"),
    ] {
        let error = home.run(wrong).await.failure(2);
        assert!(error.contains(told), "{wrong:?}: {error}");
    }
}
