//! The state machine of a job against a model: random interleavings of everything that may happen to a few jobs, on a
//! real Postgres. After each step the rows are as the model predicts, and the promises made for every job hold.
//!
//! `PROPTEST_CASES=2000 cargo test --test it model` runs longer than `cargo test`. [`explore`] covers all orders of a
//! few events, in the model alone.
mod concurrent;
mod explore;
mod reference;
mod rules;
mod steps;
mod world;

use aftercall::jobs::Channel;
use proptest::{prelude::*, test_runner::TestCaseResult};

use self::{
    reference::{Arrived, Job},
    steps::{Report, Sent, Step, What},
    world::{Seen, Target, World},
};
use crate::support::random::{Ground, runner};

/// Cases unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 40;

#[test]
fn whatever_happens_jobs_are_as_the_model_says() {
    let ground = Ground::new();
    let run = |(jobs, steps): (Vec<bool>, Vec<Step>)| {
        ground.runtime.block_on(Case::run(&ground, &jobs, &steps))
    };
    runner(CASES, 3000).run(&steps::case(), run).unwrap_or_else(|error| panic!("{error}"));
}

/// The model and the world side by side.
struct Case {
    world: World,
    jobs: Vec<Job>,
    now: i64,
    /// Attempts whose process has not reported their outcome, and perhaps never will.
    unanswered: Vec<(usize, i32)>,
    /// Jobs that are being polled.
    targets: Vec<Target>,
}

impl Case {
    async fn run(ground: &Ground, jobs: &[bool], steps: &[Step]) -> TestCaseResult {
        let mut case = Self {
            world: World::new(&ground.db.pool, ground.caller, jobs).await,
            jobs: (0..).zip(jobs).map(|(number, content)| Job::new(number, *content)).collect(),
            now: 0,
            unanswered: Vec::new(),
            targets: Vec::new(),
        };
        let mut before = case.check("the start").await?;
        for (number, step) in steps.iter().enumerate() {
            let step_name = format!("step {number}, {step:?}");
            case.take(step).await?;
            let after = case.check(&step_name).await?;
            for (job, (before, after)) in before.iter().zip(&after).enumerate() {
                rules::check(before, after).map_err(|rule| {
                    TestCaseError::fail(format!(
                        "job {job} at {step_name}: {rule}\n{before:#?}\n{after:#?}"
                    ))
                })?;
            }
            before = after;
        }
        Ok(())
    }

    async fn check(&self, step: &str) -> Result<Vec<Seen>, TestCaseError> {
        let seen = self.world.look().await;
        let expected: Vec<_> = self.jobs.iter().map(|job| job.seen(self.now)).collect();
        prop_assert_eq!(&seen, &expected, "after {}", step);
        Ok(seen)
    }

    async fn take(&mut self, step: &Step) -> TestCaseResult {
        let now = self.now;
        match step {
            Step::Claim { most } => return self.claim(*most).await,
            Step::Answer { which, answer } => {
                if let Some((job, attempt)) = taken(&mut self.unanswered, *which) {
                    let applied = self.world.answer((job, attempt), *answer).await;
                    prop_assert_eq!(applied, self.jobs[job].answer(attempt, *answer, now));
                }
            }
            Step::Deliver(sent) => return self.deliver(sent).await,
            Step::ClaimPoll => return self.claim_poll().await,
            Step::AnswerPoll { which, answer } => {
                if let Some(target) = taken(&mut self.targets, *which) {
                    return self.answer_poll(&target, *answer).await;
                }
            }
            Step::AbandonLeases => {
                let done = self.world.abandon_leases().await;
                prop_assert_eq!(done, self.each(|job| job.abandon_lease(now)));
            }
            Step::RequeueUnconfirmed => {
                let done = self.world.requeue_unconfirmed().await;
                prop_assert_eq!(done, self.each(|job| job.requeue_unconfirmed(now)));
            }
            Step::Expire => {
                let done = self.world.expire().await;
                prop_assert_eq!(done, self.each(|job| job.expire(now)));
            }
            Step::Cancel { job } => {
                let job = usize::from(*job) % self.jobs.len();
                prop_assert_eq!(self.world.cancel(job).await, self.jobs[job].cancel());
            }
            Step::Retry { job } => {
                let job = usize::from(*job) % self.jobs.len();
                prop_assert_eq!(self.world.retry(job).await, self.jobs[job].retry(now));
            }
            Step::Pass { minutes } => {
                self.world.pass(*minutes).await;
                self.now += minutes;
            }
        }
        Ok(())
    }

    /// The number of jobs that a change applied to.
    fn each(&mut self, change: impl Fn(&mut Job) -> bool) -> u64 {
        self.jobs.iter_mut().map(|job| u64::from(change(job))).sum()
    }

    /// How many due jobs are claimed is checked here; which ones, in other tests.
    async fn claim(&mut self, most: usize) -> TestCaseResult {
        let due = self.jobs.iter().filter(|job| job.can_be_claimed(self.now)).count();
        let begun = self.world.claim(most).await;
        prop_assert_eq!(begun.len(), most.min(due));
        for (job, attempt) in begun {
            prop_assert!(self.jobs[job].can_be_claimed(self.now), "job {job} was taken");
            prop_assert_eq!(self.jobs[job].claim(self.now), attempt);
            self.unanswered.push((job, attempt));
        }
        Ok(())
    }

    async fn claim_poll(&mut self) -> TestCaseResult {
        let is_due = self.jobs.iter().any(|job| job.can_be_polled(self.now));
        let target = self.world.claim_poll().await;
        prop_assert_eq!(target.is_some(), is_due);
        if let Some(target) = target {
            let job = &mut self.jobs[target.job];
            prop_assert!(job.can_be_polled(self.now), "job {} was taken", target.job);
            let (attempt, provider_job_id) = job.claim_poll(self.now);
            prop_assert_eq!(&target, &Target { job: target.job, attempt, provider_job_id });
            self.targets.push(target);
        }
        Ok(())
    }

    async fn deliver(&mut self, sent: &[Sent]) -> TestCaseResult {
        let made = self.world.attempts();
        if made.is_empty() {
            return Ok(());
        }
        let chosen = |sent: &Sent| (made[usize::from(sent.attempt) % made.len()], sent.report);
        let sent: Vec<_> = sent.iter().map(chosen).collect();
        let outcomes = self.world.deliver(&sent).await;
        for (number, job) in self.jobs.iter_mut().enumerate() {
            let own = || sent.iter().zip(&outcomes).filter(|(((of, _), _), _)| *of == number);
            let arrived = own().map(|(((_, attempt), report), _)| Arrived {
                attempt: *attempt,
                via: Channel::Webhook,
                expected: job.known_id(*attempt),
                report: *report,
            });
            let arrived: Vec<_> = arrived.collect();
            let outcomes: Vec<_> = own().map(|(_, outcome)| *outcome).collect();
            prop_assert_eq!(outcomes, job.receive(&arrived, self.now), "job {}", number);
        }
        Ok(())
    }

    async fn answer_poll(&mut self, target: &Target, report: Report) -> TestCaseResult {
        let job = &mut self.jobs[target.job];
        match report.what {
            What::InProgress => {}
            What::Nothing => {
                let lost = self.world.lose_attempt(target).await;
                prop_assert_eq!(lost, job.lose_attempt(target.attempt, self.now));
            }
            What::Success(_) | What::Failure(_) | What::Noise(_) => {
                let arrived = Arrived {
                    attempt: target.attempt,
                    via: Channel::Poll,
                    expected: Some(target.provider_job_id.clone()),
                    report,
                };
                let outcome = self.world.tell(target, report).await;
                prop_assert_eq!(vec![outcome], job.receive(&[arrived], self.now));
            }
        }
        Ok(())
    }
}

/// Removes one element.
fn taken<T>(from: &mut Vec<T>, which: u8) -> Option<T> {
    (!from.is_empty()).then(|| from.remove(usize::from(which) % from.len()))
}
