//! `GET /v1/events`.
use aftercall::{
    callers::{self, KeyTerms},
    db,
    events::{Point, Snapshot},
    http::Cursors,
};
use axum::http::header;
use secrecy::ExposeSecret as _;
use serde_json::json;
use uuid::Uuid;

use super::{
    change,
    client::{Message, Stream},
    complete, waiting,
};
use crate::support::app::TestApp;

#[tokio::test]
async fn a_stream_tells_what_the_timeline_says() {
    let app = TestApp::start().await;
    app.feed_events();
    let mut stream = Stream::open(&app, "").await;
    let body = json!({ "contentUri": "https://a.example/1.wav", "encoding": "Wav", "externalId": "call-42" });
    let id = app.post("/v1/jobs", &body).await.id();
    app.dispatcher.drain().await;
    app.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await;
    let told = stream.take(4).await;
    let timeline = app.get(&format!("/v1/jobs/{id}/timeline")).await.json();
    for (told, event) in told.iter().zip(timeline["data"].as_array().unwrap()) {
        assert_eq!(told.event, event["kind"]);
        assert_eq!(told.data["jobId"], id.to_string());
        assert_eq!(told.data["externalId"], "call-42");
        assert_eq!(told.data["state"], event["kind"]);
        for member in ["seq", "kind", "detail"] {
            assert_eq!(told.data[member], event[member]);
        }
        let moment = |value: &serde_json::Value| -> chrono::DateTime<chrono::Utc> {
            value.as_str().unwrap().parse().unwrap()
        };
        assert_eq!(moment(&told.data["at"]), moment(&event["at"]));
    }
    assert_eq!(told[3].event, "canceled");
}

#[tokio::test]
async fn a_stream_goes_on_after_any_event_also_in_another_process() {
    let app = TestApp::start().await;
    app.feed_events();
    let mut stream = Stream::open(&app, "").await;
    stream.mark().await;
    let mut ids = vec![stream.last_id.clone()];
    let jobs = [app.submit().await, app.submit().await, app.submit().await];
    app.dispatcher.drain().await;
    let told = stream.take(9).await;
    ids.extend(told.iter().map(|message| message.id.clone()));
    let again = app.another_api().await;
    for (n, id) in ids.iter().enumerate() {
        let mut resumed = Stream::resume(&app, &again, "", id).await;
        let of_jobs = |messages: &[Message]| -> Vec<_> {
            messages.iter().map(|message| message.data.clone()).collect()
        };
        assert_eq!(of_jobs(&resumed.take(9 - n).await), of_jobs(&told[n..]));
        // The resumed stream also gets new events.
        change(&mut app.db.pool.acquire().await.unwrap(), jobs[0]).await;
        let next = resumed.next().await.unwrap();
        assert_eq!(next.event, "delivery");
        assert_eq!(stream.next().await.unwrap().data, next.data);
        change_back(&app, jobs[0]).await;
    }
}

/// Undoes the last change, so that the timeline is as before.
async fn change_back(app: &TestApp, id: Uuid) {
    app.about(id, "delete from aftercall.job_events where job_id = $1 and kind = 'delivery'").await;
}

#[tokio::test]
async fn a_stream_of_one_job_and_those_of_others_tell_nothing_else() {
    let app = TestApp::start().await;
    app.feed_events();
    let other = callers::create(&app.db.pool, "other", "test", KeyTerms::default()).await.unwrap();
    let (own, further) = (app.submit().await, app.submit().await);
    let mut of_job = Stream::open(&app, &format!("?jobId={own}")).await;
    let mut of_all = Stream::open(&app, "").await;
    let bearer = format!("Bearer {}", other.text.expose_secret());
    let mut submit = app.request("POST", "/v1/jobs");
    submit.headers_mut().unwrap().insert(header::AUTHORIZATION, bearer.parse().unwrap());
    let body = json!({ "contentUri": "https://a.example/1.wav", "encoding": "Wav" }).to_string();
    let foreign = app.send(submit, body).await.id();

    let mut ask = app.request("GET", &format!("/v1/events?jobId={own}"));
    ask.headers_mut().unwrap().insert(header::AUTHORIZATION, bearer.parse().unwrap());
    app.ask(ask).await.problem(404, "job-not-found");
    app.get(&format!("/v1/events?jobId={foreign}")).await.problem(404, "job-not-found");
    app.get("/v1/events?jobid=1").await.problem(400, "invalid-parameter");

    let mut db = app.db.pool.acquire().await.unwrap();
    for id in [foreign, further, own, foreign, own] {
        change(&mut db, id).await;
    }
    let jobs = |messages: Vec<Message>| -> Vec<String> {
        messages.iter().map(|it| it.data["jobId"].as_str().unwrap().to_owned()).collect()
    };
    let names = |ids: &[Uuid]| -> Vec<String> { ids.iter().map(Uuid::to_string).collect() };
    assert_eq!(jobs(of_job.take(2).await), names(&[own, own]));
    assert_eq!(jobs(of_all.take(3).await), names(&[further, own, own]));
}

#[tokio::test]
async fn an_id_of_somewhere_else_is_refused() {
    let app = TestApp::start().await;
    app.feed_events();
    let id = app.submit().await;
    let mut of_job = Stream::open(&app, &format!("?jobId={id}")).await;
    of_job.mark().await;
    let cursors = Cursors::new(db::service_secret(&app.db.pool, "cursor").await.unwrap());
    let caller: Uuid = sqlx::query_scalar("select caller_id from aftercall.jobs")
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    let sealed = |text: &str| cursors.seal(&format!("events {caller} None"), text.as_bytes());
    let future = Snapshot::from("9000000000:9000000000:".to_owned());
    let wrong = [
        of_job.last_id.clone(),
        cursors.seal("jobs", &[0; 16]),
        sealed("5:5:"),
        sealed("5:5:;5:5:;x"),
        sealed(&Point::at(future).to_string()),
        "x".to_owned(),
        "-".to_owned(),
    ];
    for id in wrong {
        let request = app.request("GET", "/v1/events").header("last-event-id", &id);
        app.ask(request).await.problem(400, "cursor-mismatch");
    }
    let early = Point::at(Snapshot::from("5:5:".to_owned())).to_string();
    let mut all = Stream::resume(&app, &app.api, "", &sealed(&early)).await;
    assert_eq!(all.next().await.unwrap().event, "queued");
    waiting(&app, 2).await;
}

#[tokio::test]
async fn one_stream_too_many_is_refused_until_another_ends() {
    let app = TestApp::with(|settings| settings.api.max_streams = 1).await;
    app.feed_events();
    let stream = Stream::open(&app, "").await;
    let refused = app.get("/v1/events").await;
    refused.problem(503, "too-many-streams");
    assert_eq!(refused.header("retry-after"), "5");
    drop(stream);
    Stream::open(&app, "").await;
}

#[tokio::test]
async fn a_stream_says_bye_when_the_process_ends() {
    let app = TestApp::start().await;
    app.feed_events();
    let mut stream = Stream::open(&app, "").await;
    app.submit().await;
    assert_eq!(stream.next().await.unwrap().seq(), 1);
    app.stop.cancel();
    assert_eq!(stream.next().await.unwrap().event, "bye");
    assert_eq!(stream.next().await, None);
    app.get("/v1/events").await.problem(503, "unavailable");
}

#[tokio::test]
async fn a_client_that_does_not_keep_up_is_cut_off_and_loses_nothing() {
    let app = TestApp::start().await;
    app.feed_events();
    let mut slow = Stream::open(&app, "").await;
    slow.mark().await;
    let job = app.submitted().await;
    let mut db = app.db.pool.acquire().await.unwrap();
    for _ in 0..1500 {
        change(&mut db, job.id).await;
    }
    waiting(&app, 0).await;
    complete(&app, &job).await;
    let mut seqs = Vec::new();
    while let Some(message) = slow.next().await {
        seqs.push(message.seq());
    }
    assert!(seqs.len() < 1500, "{}", seqs.len());
    let again = app.another_api().await;
    let mut resumed = Stream::resume(&app, &again, "", &slow.last_id).await;
    seqs.extend(resumed.take(1504 - seqs.len()).await.iter().map(Message::seq));
    assert_eq!(seqs, (1..=1504).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_without_events_pings_and_moves_on() {
    let app = TestApp::start().await;
    app.feed_events();
    let mut stream = Stream::open(&app, "").await;
    stream.mark().await;
    let first = stream.last_id.clone();
    app.submit().await;
    stream.next().await.unwrap();
    tokio::time::pause();
    assert!(stream.mark().await.contains("\n: ping\n"));
    tokio::time::resume();
    let of_ping = Stream::resume(&app, &app.api, "", &stream.last_id);
    let of_start = Stream::resume(&app, &app.api, "", &first);
    let (mut of_ping, mut of_start) = tokio::join!(of_ping, of_start);
    app.submit().await;
    assert_eq!(of_start.take(2).await[1], of_ping.take(1).await[0]);
}
