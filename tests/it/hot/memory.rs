//! What is remembered, for how long, and how much of it. Time stands still unless a test moves it.
use std::time::Duration;

use aftercall::{
    callers::CallerId,
    jobs::{HotResult, HotResults, JobId},
    metrics::Metrics,
};
use tokio::time::{Instant, advance};
use uuid::Uuid;

use crate::support::exposition::Exposition;

fn caller() -> CallerId {
    Uuid::from_u128(1).into()
}

fn result(size: usize) -> HotResult {
    HotResult { document: vec![b'x'; size].into(), etag: "\"tag\"".into() }
}

pub fn is_known(hot: &HotResults, job_id: JobId) -> bool {
    hot.recall(caller(), job_id).is_ok()
}

fn read(hot: &HotResults, job_id: JobId, size: usize) {
    if let Err(mark) = hot.recall(caller(), job_id) {
        hot.keep(mark, caller(), job_id, &result(size));
    }
}

/// A memory that is current, with a result of each of these jobs.
pub fn remembering(jobs: &[JobId]) -> HotResults {
    let hot = HotResults::new(1024 * 1024, Metrics::default());
    hot.is_current_at(Instant::now());
    for job_id in jobs {
        read(&hot, *job_id, 1000);
        assert!(is_known(&hot, *job_id));
    }
    hot
}

fn new_jobs<const N: usize>() -> [JobId; N] {
    [(); N].map(|()| JobId::generate())
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_change_is_not_kept_after_it() {
    let [stale, other, unread] = new_jobs();
    let hot = remembering(&[other]);
    let changes: [&dyn Fn(); 4] = [
        &|| hot.forget([stale]),
        &|| hot.forget_notified(&stale.to_string()),
        &|| hot.forget_notified(""),
        &|| {
            hot.lost();
            hot.is_current_at(Instant::now());
        },
    ];
    for change in changes {
        let mark = hot.recall(caller(), stale).unwrap_err();
        change();
        hot.keep(mark, caller(), stale, &result(10));
        assert!(!is_known(&hot, stale));
    }
    read(&hot, stale, 10);
    assert!(is_known(&hot, stale) && !is_known(&hot, unread));
}

#[tokio::test(start_paused = true)]
async fn a_notification_names_the_results_that_are_forgotten() {
    let jobs: [JobId; 3] = new_jobs();
    let [first, second, third] = jobs;
    let hot = remembering(&jobs);
    hot.forget([]);
    hot.forget_notified(&format!("{first},{third}"));
    assert_eq!(jobs.map(|job_id| is_known(&hot, job_id)), [false, true, false]);
    // What another version may say.
    for payload in ["", "all", &format!("{first};{second}"), &format!("{first},")] {
        let hot = remembering(&jobs);
        hot.forget_notified(payload);
        assert_eq!(jobs.map(|job_id| is_known(&hot, job_id)), [false; 3], "{payload:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_leaves_nothing() {
    let [job] = new_jobs();
    let hot = remembering(&[job]);
    hot.lost();
    assert!(!is_known(&hot, job));
    read(&hot, job, 10);
    hot.is_current_at(Instant::now());
    assert!(!is_known(&hot, job), "it was read while nobody listened");
    read(&hot, job, 10);
    assert!(is_known(&hot, job));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_trusted_for_two_seconds() {
    let [job, other] = new_jobs();
    let hot = remembering(&[job]);
    advance(Duration::from_millis(1900)).await;
    assert!(is_known(&hot, job));
    advance(Duration::from_millis(100)).await;
    assert!(!is_known(&hot, job));
    read(&hot, other, 10);
    // It was only slow: nothing was missed.
    hot.is_current_at(Instant::now());
    assert!(is_known(&hot, job) && is_known(&hot, other));
}

#[tokio::test(start_paused = true)]
async fn a_result_is_read_again_after_a_minute_however_often_it_is_asked_for() {
    let [job] = new_jobs();
    let hot = remembering(&[job]);
    for second in 1..=60 {
        advance(Duration::from_secs(1)).await;
        hot.is_current_at(Instant::now());
        assert_eq!(is_known(&hot, job), second < 60, "{second}");
    }
    read(&hot, job, 10);
    assert!(is_known(&hot, job));
}

#[tokio::test(start_paused = true)]
async fn results_are_known_to_their_callers_only() {
    let [job] = new_jobs();
    let hot = remembering(&[job]);
    assert!(hot.recall(Uuid::from_u128(2).into(), job).is_err());
    assert!(is_known(&hot, job));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_goes_to_what_is_asked_for() {
    const CAPACITY: usize = 100_000;
    let metrics = Metrics::new();
    let hot = HotResults::new(CAPACITY, metrics.clone());
    hot.is_current_at(Instant::now());
    let taken = || {
        let scraped = Exposition::of(metrics.encode().unwrap().unwrap());
        scraped.get("aftercall_results_remembered_bytes", &[]).unwrap()
    };
    let favourite = JobId::generate();
    let mut jobs = Vec::new();
    for size in (0..400).map(|n| n * 37 % 8000) {
        read(&hot, favourite, 5000);
        jobs.push(JobId::generate());
        read(&hot, jobs[jobs.len() - 1], size);
        assert!(taken() <= 100_000.0, "{}", taken());
    }
    assert!(is_known(&hot, favourite));
    assert!(taken() > 80_000.0, "{}", taken());
    assert!(is_known(&hot, jobs[399]) && !is_known(&hot, jobs[0]));

    let large = JobId::generate();
    read(&hot, large, CAPACITY / 8);
    assert!(!is_known(&hot, large) && is_known(&hot, favourite));
    hot.forget(jobs);
    assert!(taken() < 6000.0, "{}", taken());
    hot.lost();
    assert!(taken() < 1.0);

    let empty: Vec<_> = (0..400).map(|_| JobId::generate()).collect();
    hot.is_current_at(Instant::now());
    for job_id in &empty {
        read(&hot, *job_id, 0);
    }
    let known = empty.iter().filter(|job_id| is_known(&hot, **job_id)).count();
    assert!((100..=CAPACITY / 512).contains(&known), "{known}: an entry is more than its document");
}
