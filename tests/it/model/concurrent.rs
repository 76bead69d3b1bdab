//! The same steps taken concurrently: replicas, deliveries, callers and the clock, each in separate
//! transactions. The order is unpredictable, but the promises must hold.
use std::sync::Mutex;

use futures_util::future::join_all;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use super::{
    Ground, rules, runner,
    steps::{self, Report, Sent, Step, What},
    taken,
    world::{Target, World},
};

/// Cases unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 10;

#[test]
fn whoever_does_it_at_once_no_promise_is_broken() {
    let ground = Ground::new();
    let run = |(jobs, actors): (Vec<bool>, Vec<Vec<Step>>)| {
        ground.runtime.block_on(run(&ground, &jobs, &actors))
    };
    // A run cannot be repeated exactly, so there is nothing to shrink.
    runner(CASES, 0).run(&steps::crowd(), run).unwrap_or_else(|error| panic!("{error}"));
}

async fn run(ground: &Ground, jobs: &[bool], actors: &[Vec<Step>]) -> TestCaseResult {
    let crowd = Crowd {
        world: World::new(&ground.db.pool, ground.caller, jobs).await,
        jobs: jobs.len(),
        unanswered: Mutex::default(),
        targets: Mutex::default(),
    };
    join_all(actors.iter().map(|steps| crowd.act(steps))).await;
    for (job, seen) in crowd.world.look().await.iter().enumerate() {
        rules::check_history(seen)
            .map_err(|rule| TestCaseError::fail(format!("job {job}: {rule}\n{seen:#?}")))?;
    }
    Ok(())
}

/// State shared by the actors.
struct Crowd {
    world: World,
    jobs: usize,
    unanswered: Mutex<Vec<(usize, i32)>>,
    targets: Mutex<Vec<Target>>,
}

impl Crowd {
    async fn act(&self, steps: &[Step]) {
        for step in steps {
            self.take(step).await;
        }
    }

    async fn take(&self, step: &Step) {
        let job = |job: u8| usize::from(job) % self.jobs;
        match step {
            Step::Claim { most } => {
                let begun = self.world.claim(*most).await;
                self.unanswered.lock().unwrap().extend(begun);
            }
            Step::Answer { which, answer } => {
                let attempt = taken(&mut self.unanswered.lock().unwrap(), *which);
                if let Some(attempt) = attempt {
                    self.world.answer(attempt, *answer).await;
                }
            }
            Step::Deliver(sent) => self.deliver(sent).await,
            Step::ClaimPoll => {
                let target = self.world.claim_poll().await;
                self.targets.lock().unwrap().extend(target);
            }
            Step::AnswerPoll { which, answer } => {
                let target = taken(&mut self.targets.lock().unwrap(), *which);
                if let Some(target) = target {
                    self.answer_poll(&target, *answer).await;
                }
            }
            Step::AbandonLeases => drop(self.world.abandon_leases().await),
            Step::RequeueUnconfirmed => drop(self.world.requeue_unconfirmed().await),
            Step::Expire => drop(self.world.expire().await),
            Step::Cancel { job: number } => drop(self.world.cancel(job(*number)).await),
            Step::Retry { job: number } => drop(self.world.retry(job(*number)).await),
            Step::Pass { minutes } => self.world.pass(*minutes).await,
        }
    }

    async fn deliver(&self, sent: &[Sent]) {
        let made = self.world.attempts();
        if !made.is_empty() {
            let chosen = |sent: &Sent| (made[usize::from(sent.attempt) % made.len()], sent.report);
            self.world.deliver(&sent.iter().map(chosen).collect::<Vec<_>>()).await;
        }
    }

    async fn answer_poll(&self, target: &Target, report: Report) {
        match report.what {
            What::InProgress => {}
            What::Nothing => drop(self.world.lose_attempt(target).await),
            What::Success(_) | What::Failure(_) | What::Noise(_) => {
                self.world.tell(target, report).await;
            }
        }
    }
}
