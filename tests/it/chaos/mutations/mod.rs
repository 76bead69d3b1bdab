//! Tests the checker: it must notice everything that is removed from, added to or changed in a
//! correct end state.
mod database;
mod ledger;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use self::{
    database::{CAST, STATEMENTS},
    ledger::CHANGES,
};
use super::{
    check,
    plan::Plan,
    world::{UNCONFIRMED_WAIT, World},
};

#[tokio::test]
async fn the_checker_sees_whatever_is_changed() {
    // Nothing is killed: the faults of this seed produce every kind of job.
    let plan = Plan { jobs: 60, seed: 71, crashes: 0 };
    let mut world = World::start(&plan).await;
    let receipts = world.work(plan.jobs).await;
    let ledger = world.settle().await;
    let mut db = world.connect().await;
    let wrong = check::violations(&mut db, &ledger, UNCONFIRMED_WAIT).await;
    assert!(wrong.is_empty(), "{}", check::list(&wrong));
    assert!(check::receipts(&mut db, &receipts).await.is_empty());

    let cast = cast(&mut db).await;
    let mut unseen = Vec::new();
    for (statement, expected) in STATEMENTS {
        let filled = cast.iter().fold((*statement).to_owned(), |text, (name, id)| {
            text.replace(&format!("{{{name}}}"), &format!("'{id}'::uuid"))
        });
        let mut tx = db.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(filled)).execute(&mut *tx).await.unwrap();
        let wrong = check::violations(&mut tx, &ledger, UNCONFIRMED_WAIT).await;
        tx.rollback().await.unwrap();
        if !wrong.iter().any(|violation| violation.what.contains(expected)) {
            unseen.push(format!("{statement}\nwanted: {expected}\n{}", check::list(&wrong)));
        }
    }
    for (number, (change, expected)) in CHANGES.iter().enumerate() {
        let mut changed = ledger.clone();
        change(&mut changed);
        let wrong = check::violations(&mut db, &changed, UNCONFIRMED_WAIT).await;
        if !wrong.iter().any(|violation| violation.what.contains(expected)) {
            unseen.push(format!("change {number}\nwanted: {expected}\n{}", check::list(&wrong)));
        }
    }
    let mut others = receipts;
    others.insert("key-lost".to_owned(), Uuid::nil());
    assert_eq!(check::receipts(&mut db, &others).await.len(), 1);
    assert!(unseen.is_empty(), "{} unseen:\n{}", unseen.len(), unseen.join("\n\n"));
}

async fn cast(db: &mut PgConnection) -> Vec<(&'static str, Uuid)> {
    let mut cast = Vec::new();
    for (name, query) in CAST {
        let found = sqlx::query_scalar(*query).fetch_optional(&mut *db).await.unwrap();
        cast.push((*name, found.unwrap_or_else(|| panic!("no job is {name}; take another seed"))));
    }
    cast
}
