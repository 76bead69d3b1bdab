//! The feed's only connection.
use sqlx::{Connection as _, PgConnection};

use super::{
    change,
    client::{Message, Stream},
    complete, waiting,
};
use crate::support::{app::TestApp, eventually, soon};

#[tokio::test]
async fn a_connection_that_is_cut_is_made_anew_and_nothing_is_lost() {
    let app = TestApp::start().await;
    app.feed_events();
    let mut stream = Stream::open(&app, "").await;
    let job = app.submitted().await;
    stream.take(3).await;
    let wait = async {
        let path = format!("/v1/jobs/{}?wait=60", job.id);
        soon("the end of a job", app.get(&path)).await
    };
    let cut = async {
        waiting(&app, 2).await;
        // It has looked for the job, too, and needs no connection of its own any more.
        let pool = &app.db.runtime;
        let is_idle = async || (pool.num_idle() == pool.size() as usize).then_some(());
        eventually("no connection in use", is_idle).await;
        for _ in 0..3 {
            app.db.end_sessions().await;
            let mut own = PgConnection::connect_with(&app.db.connect_options()).await.unwrap();
            change(&mut own, job.id).await;
        }
        complete(&app, &job).await;
    };
    let (answer, ()) = tokio::join!(wait, cut);
    assert_eq!(answer.json()["state"], "completed");
    let told: Vec<_> = stream.take(4).await.iter().map(Message::seq).collect();
    assert_eq!(told, [4, 5, 6, 7]);
}

#[tokio::test]
async fn without_an_announcement_the_feed_looks_by_itself() {
    let app = TestApp::start().await;
    app.feed_events();
    let mut stream = Stream::open(&app, "").await;
    let id = app.submit().await;
    stream.next().await.unwrap();
    // Like a change made by the command line: without an announcement.
    change(&mut app.db.pool.acquire().await.unwrap(), id).await;
    assert_eq!(stream.next().await.unwrap().seq(), 2);
}

#[tokio::test]
async fn while_nobody_waits_the_feed_asks_nothing() {
    let app = TestApp::start().await;
    app.feed_events();
    let last_heard = "select count(*) from pg_stat_activity
        where datname = current_database() and query ilike 'listen %'";
    eventually("the feed", async || (app.count(last_heard).await == 1).then_some(())).await;
    // Another process with a client that waits receives the same events.
    let (api, _feed) = app.another_process(&app.db.pool).await;
    let mut stream = Stream::of(&api, app.request("GET", "/v1/events")).await;
    for _ in 0..3 {
        app.submit().await;
        assert_eq!(stream.next().await.unwrap().seq(), 1);
    }
    assert_eq!(app.count(last_heard).await, 1);
}
