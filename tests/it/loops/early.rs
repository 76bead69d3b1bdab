//! A webhook that arrives before the 202 always completes its job.
use tokio_util::sync::CancellationToken;

use super::{ends, turns};
use crate::support::{
    app::{TestApp, client_of},
    eventually,
    provider::Provider,
};

#[tokio::test]
async fn a_webhook_that_arrives_before_the_202_completes_its_job() {
    let jobs = turns(1000);
    let mut app = TestApp::with(|settings| {
        settings.provider.gate.limit = 1_000_000;
        settings.dispatch.concurrency = 8;
    })
    .await;
    for _ in 0..jobs {
        app.submit().await;
    }
    let provider = Provider::early(app.webhook.clone()).await;
    app.dispatcher.accounts[0].client = client_of(&provider.url);
    let stop = CancellationToken::new();
    let dispatcher = tokio::spawn(app.dispatcher.clone().run(stop.clone()));
    eventually("the last 202", async || {
        let open = "select count(*) from aftercall.jobs j where state = 'queued'
            or exists (select from aftercall.attempts where job_id = j.id and outcome = 'open')";
        (app.count(open).await == 0).then_some(())
    })
    .await;
    stop.cancel();
    dispatcher.await.unwrap().unwrap();
    let end = "completed via webhook, attempts: accepted, 1 result, 3 utterances, \
        queued submitting completed";
    assert_eq!(ends(&app.db.pool).await, [(end.to_owned(), i64::try_from(jobs).unwrap())]);
    assert_eq!(provider.calls(), [(jobs, 0)]);
}
