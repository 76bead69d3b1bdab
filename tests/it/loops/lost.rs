//! With all webhooks lost, all jobs are completed by polls within the provider's budget.
//!
//! There are no real waits: rows are aged by a third of the gate's window at a time, so that calls
//! of at most three such periods fall into one window of the provider.
use std::time::Duration;

use super::{ends, turns};
use crate::support::{
    app::{TestApp, client_of},
    provider::Provider,
};

/// Calls per minute.
const LIMIT: usize = 50;
const POLL_SHARE: f64 = 0.2;
/// [`POLL_SHARE`] of [`LIMIT`].
const POLLS: usize = 10;
/// Slightly more than a third of a minute, since the gate's window is wider than the provider's.
const PERIOD: &[&str] = &[
    "update aftercall.jobs set due_at = due_at - interval '21 s',
        deadline_at = deadline_at - interval '21 s'",
    "update aftercall.provider_calls set made_at = made_at - interval '21 s'",
];

#[tokio::test]
async fn with_every_webhook_lost_all_jobs_are_completed_by_polls_inside_the_budget() {
    let jobs = turns(500);
    let mut app = TestApp::with(|settings| {
        settings.provider.gate.limit = u32::try_from(LIMIT).unwrap();
        settings.provider.gate.window = Duration::from_mins(1);
        settings.provider.gate.poll_share = POLL_SHARE;
        settings.reconcile.after = Duration::from_mins(2);
    })
    .await;
    let provider = Provider::silent().await;
    app.dispatcher.accounts[0].client = client_of(&provider.url);
    app.reconciler.accounts[0].client = app.dispatcher.accounts[0].client.clone();
    for _ in 0..jobs {
        app.submit().await;
    }
    while app.count("select count(*) from aftercall.jobs where finished_at is null").await > 0 {
        let (_, round) = tokio::join!(app.dispatcher.drain(), app.reconciler.round());
        round.unwrap();
        provider.next_period();
        for statement in PERIOD {
            sqlx::query(*statement).execute(&app.db.pool).await.unwrap();
        }
    }
    let end = "completed via poll, attempts: accepted, 1 result, 3 utterances, \
        queued submitting submitted completed";
    assert_eq!(ends(&app.db.pool).await, [(end.to_owned(), i64::try_from(jobs).unwrap())]);
    check_budget(&provider.calls(), jobs);
}

fn check_budget(calls: &[(usize, usize)], jobs: usize) {
    let (submissions, polls): (Vec<_>, Vec<_>) = calls.iter().copied().unzip();
    assert_eq!(submissions.iter().sum::<usize>(), jobs);
    // Every fifth job was polled once too early.
    assert_eq!(polls.iter().sum::<usize>(), jobs + jobs / 5);
    for window in calls.windows(3) {
        let all: usize = window.iter().map(|(submissions, polls)| submissions + polls).sum();
        assert!(all <= LIMIT, "{all} calls a minute: {calls:?}");
    }
    let last_submission = submissions.iter().rposition(|calls| *calls > 0).unwrap();
    for window in polls[..last_submission].windows(3) {
        assert!(window.iter().sum::<usize>() <= POLLS, "submissions had to wait: {calls:?}");
    }
}
