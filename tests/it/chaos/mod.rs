//! Two replicas that are killed, a provider with every known fault, a Postgres that crashes:
//! nothing may be lost or paid for twice.
//!
//! [`world`] runs everything, [`check`] proves the outcome from the sandbox's ledger and the
//! database alone, and [`mutations`] prove the checker. `docs/contributing.md` tells how to run the
//! long form.
mod callers;
mod check;
mod harm;
mod media;
mod mutations;
mod plan;
mod report;
mod world;

use std::time::Instant;

use self::{plan::Plan, report::Report, world::World};

#[tokio::test]
async fn whatever_is_killed_nothing_is_lost_and_nothing_paid_for_twice() {
    let plan = Plan::from_environment();
    plan.announce();
    let since = Instant::now();
    let mut world = World::start(&plan).await;
    let (receipts, harm) = world.suffer(&plan).await;
    let ledger = world.settle().await;
    let mut db = world.connect().await;
    let report = Report::of(&mut db, &ledger).await;
    plan.tell(&format!("{harm}, {:.0} s\n{report}", since.elapsed().as_secs_f64()));

    let mut wrong = check::violations(&mut db, &ledger, world::UNCONFIRMED_WAIT).await;
    wrong.extend(check::receipts(&mut db, &receipts).await);
    if !wrong.is_empty() {
        let stories = report::stories(&mut db, &ledger, &wrong).await;
        panic!("{} violations\n{}\n{stories}\n{plan}", wrong.len(), check::list(&wrong));
    }
}
