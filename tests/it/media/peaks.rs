//! The waveforms of stored recordings.
use std::{fs, path::PathBuf};

use axum::Router;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{TONE, wav};
use crate::support::{answer::Answer, app::TestApp, eventually};

/// A job about a recording that is uploaded for it.
async fn job(app: &TestApp, recording: &[u8]) -> Uuid {
    let media = app.upload_as("application/octet-stream", recording.to_vec()).await.id();
    app.post("/v1/jobs", &json!({ "media": media })).await.id()
}

async fn peaks(app: &TestApp, id: Uuid, query: &str) -> Value {
    let answer = app.get(&format!("/v1/jobs/{id}/peaks{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "private, no-store");
    answer.json()
}

/// The one file in the store.
fn stored(app: &TestApp) -> PathBuf {
    let files = app.files();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Notes each claim with the number of recordings that are being decoded then.
const NOTE_CLAIMS: &str = "
    create table aftercall.claims (open bigint);
    create function aftercall.note_claim() returns trigger language plpgsql security definer as $$
    begin
        insert into aftercall.claims
        select count(*) from aftercall.media_peaks where computed_at is null;
        return null;
    end $$;
    create trigger note_claim after insert or update of claimed_until on aftercall.media_peaks
        for each row execute function aftercall.note_claim()";

#[tokio::test]
async fn each_channel_is_shown_in_as_many_points_as_asked_for() {
    let app = TestApp::start().await;
    // A second of silence, then a second on the left.
    let mut recording = wav(2, 8000, 16, 64_000, 64_000);
    for frame in recording[44 + 32_000..].chunks_mut(4) {
        frame[..2].copy_from_slice(&16_384_i16.to_le_bytes());
    }
    let id = job(&app, &recording).await;
    let whole = peaks(&app, id, "").await;
    assert_eq!(whole["durationSeconds"], 2.0);
    let channels = whole["channels"].as_array().unwrap();
    assert_eq!(channels.len(), 2);
    for (n, channel) in channels.iter().enumerate() {
        assert_eq!(channel["channel"], n);
        let peaks = channel["peaks"].as_array().unwrap();
        assert_eq!(peaks.len(), 1000);
        let loud = if n == 0 { 128 } else { 0 };
        assert!(peaks[..500].iter().all(|peak| *peak == 0), "{peaks:?}");
        assert!(peaks[500..].iter().all(|peak| *peak == loud), "{peaks:?}");
    }
    let left = peaks(&app, id, "?channel=0&points=50").await;
    let expected = [vec![0; 25], vec![128; 25]].concat();
    assert_eq!(left["channels"], json!([{ "channel": 0, "peaks": expected }]));
    for (query, parameter) in
        [("points=49", "points"), ("points=4001", "points"), ("channel=2", "channel")]
    {
        let problem = app.get(&format!("/v1/jobs/{id}/peaks?{query}")).await;
        let problem = problem.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{problem}");
    }
}

#[tokio::test]
async fn every_format_that_is_taken_has_a_waveform() {
    let app = TestApp::start().await;
    for recording in [
        &include_bytes!("../../fixtures/audio/tone.mp3")[..],
        include_bytes!("../../fixtures/audio/tone.m4a"),
        include_bytes!("../../fixtures/audio/tone.ogg"),
        include_bytes!("../../fixtures/audio/mulaw.wav"),
        TONE,
    ] {
        let id = job(&app, recording).await;
        let found = peaks(&app, id, "?points=50").await;
        let media = app.job(id).await["media"].clone();
        let seconds = found["durationSeconds"].as_f64().unwrap();
        assert!(seconds > 1.0, "{media} {found}");
        let loud = found["channels"][0]["peaks"].as_array().unwrap().iter();
        assert!(loud.filter(|peak| peak.as_u64() > Some(10)).count() >= 10, "{media} {found}");
    }
}

#[tokio::test]
async fn a_recording_that_is_elsewhere_gone_or_no_sound_has_none() {
    let app = TestApp::start().await;
    let elsewhere = app.submit().await;
    let path = |id: Uuid| format!("/v1/jobs/{id}/peaks");
    app.get(&path(elsewhere)).await.problem(404, "recording-not-available");
    app.get(&path(Uuid::nil())).await.problem(404, "job-not-found");

    let id = job(&app, TONE).await;
    fs::write(stored(&app), vec![b'x'; TONE.len()]).unwrap();
    for _ in 0..2 {
        let problem = app.get(&path(id)).await.problem(404, "recording-not-available");
        assert!(problem["detail"].as_str().unwrap().contains("cannot be decoded"), "{problem}");
        // What is known is not read again.
        fs::write(stored(&app), TONE).unwrap();
    }
    app.ask(app.request("POST", &format!("/v1/jobs/{id}/cancel"))).await;
    let media = app.job(id).await["media"].as_str().unwrap().to_owned();
    let removed = app.ask(app.request("DELETE", &format!("/v1/media/{media}"))).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    assert_eq!(app.count("select count(*) from aftercall.media_peaks").await, 0);
    let problem = app.get(&path(id)).await.problem(404, "recording-not-available");
    assert!(problem["detail"].as_str().unwrap().contains("not stored"), "{problem}");
}

async fn asked(api: &Router, app: &TestApp, id: Uuid) -> Answer {
    let request = app.request("GET", &format!("/v1/jobs/{id}/peaks?points=50"));
    Answer::of(api, request.body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn many_requests_to_many_processes_decode_a_recording_once_and_one_at_a_time() {
    let app = TestApp::with(|settings| settings.media.max_transfers_per_caller = 32).await;
    let other = app.another_api().await;
    sqlx::raw_sql(NOTE_CLAIMS).execute(&app.db.pool).await.unwrap();
    let mut ids = Vec::new();
    for seconds in 1..=3 {
        let bytes = 16_000 * seconds;
        ids.push(job(&app, &wav(1, 8000, 16, bytes, u32::try_from(bytes).unwrap())).await);
    }
    let here = ids.iter().flat_map(|id| (0..3).map(|_| asked(&app.api, &app, *id)));
    for answer in join_all(here).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(app.count("select count(*) from aftercall.claims").await, 3);
    assert_eq!(app.count("select max(open) from aftercall.claims").await, 1);

    let id = job(&app, TONE).await;
    let both = (0..4).flat_map(|_| [&app.api, &other]).map(|api| asked(api, &app, id));
    for answer in join_all(both).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(app.count("select count(*) from aftercall.claims").await, 4);
}

#[tokio::test]
async fn what_another_process_computes_is_waited_for_until_its_claim_ends() {
    let app = TestApp::start().await;
    let claim = "insert into aftercall.media_peaks (media_id, claimed_until)
        select media_id, now() + interval '1 hour' from aftercall.jobs where id = $1";
    let (theirs, abandoned) =
        (job(&app, TONE).await, job(&app, &wav(1, 8000, 16, 16_000, 16_000)).await);
    for id in [theirs, abandoned] {
        app.about(id, claim).await;
    }
    let waiting = asked(&app.api, &app, theirs);
    let finish = async {
        // It has looked, and found the claim.
        eventually("a request", async || {
            let looks = "select count(*) from pg_stat_activity where query like '%media_peaks%'
                and datname = current_database() and usename = 'aftercall_runtime'";
            (app.count(looks).await > 0).then_some(())
        })
        .await;
        app.about(
            theirs,
            "update aftercall.media_peaks set computed_at = now(), channels = 1, peaks = '\\x2a',
                duration_seconds = 7 where media_id = (select media_id from aftercall.jobs where id = $1)",
        )
        .await;
    };
    let (answer, ()) = tokio::join!(waiting, finish);
    let expected = json!({ "channel": 0, "peaks": vec![42; 50] });
    let expected = json!({ "durationSeconds": 7.0, "channels": [expected] });
    assert_eq!(answer.json(), expected);

    let end = "update aftercall.media_peaks set claimed_until = now() - interval '1 second'
        where media_id = (select media_id from aftercall.jobs where id = $1)";
    app.about(abandoned, end).await;
    assert_eq!(peaks(&app, abandoned, "").await["durationSeconds"], 1.0);
}

#[tokio::test]
async fn a_store_that_fails_is_no_property_of_the_recording() {
    let app = TestApp::start().await;
    let id = job(&app, TONE).await;
    let (file, aside) = (stored(&app), app.folder().join("aside"));
    fs::rename(&file, &aside).unwrap();
    let path = format!("/v1/jobs/{id}/peaks");
    app.get(&path).await.problem(503, "media-store-unavailable");
    assert_eq!(app.count("select count(*) from aftercall.media_peaks").await, 0);
    fs::rename(&aside, &file).unwrap();
    assert_eq!(peaks(&app, id, "").await["durationSeconds"], 2.0);
}

/// Holds up whoever does this to the row of a recording, while somebody has the lock.
fn hold_up(what: &str) -> String {
    format!(
        "create function aftercall.hold_up() returns trigger language plpgsql as $$
        begin
            perform pg_advisory_xact_lock(42);
            return new;
        end $$;
        create trigger hold_up before {what} on aftercall.media_peaks
            for each row execute function aftercall.hold_up()"
    )
}

#[tokio::test]
async fn the_work_goes_on_without_the_request_that_began_it() {
    for claims_or_stores in ["insert", "update of computed_at"] {
        let app = TestApp::start().await;
        let id = job(&app, TONE).await;
        let hold_up = AssertSqlSafe(hold_up(claims_or_stores));
        sqlx::raw_sql(hold_up).execute(&app.db.pool).await.unwrap();
        let mut lock = app.db.pool.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(42)").execute(&mut *lock).await.unwrap();
        let waiter = eventually("whom the lock holds up", async || {
            let waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = 42 and not granted
                and database = (select oid from pg_database where datname = current_database())";
            (app.count(waits).await > 0).then_some(())
        });
        tokio::select! {
            answer = asked(&app.api, &app, id) => panic!("{answer:?}"),
            () = waiter => {}
        }
        lock.rollback().await.unwrap();
        eventually("peaks", async || {
            let known = "select count(*) from aftercall.media_peaks where computed_at is not null";
            (app.count(known).await > 0).then_some(())
        })
        .await;
    }
}
