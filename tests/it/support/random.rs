//! Helpers for property tests.
use aftercall::callers::{self, KeyTerms};
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::db::TestDb;

/// A database with one caller, and the runtime for the cases.
pub struct Ground {
    pub runtime: Runtime,
    pub db: TestDb,
    pub caller: Uuid,
}

impl Ground {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (db, caller) = runtime.block_on(async {
            let db = TestDb::new().await;
            callers::create(&db.pool, "app", "test", KeyTerms::default()).await.unwrap();
            let caller = sqlx::query_scalar("select id from aftercall.callers");
            let caller = caller.fetch_one(&db.pool).await.unwrap();
            (db, caller)
        });
        Self { runtime, db, caller }
    }
}

/// A runner with `cases` cases, or `PROPTEST_CASES`. Leaves no files in the checkout.
pub fn runner(cases: u32, max_shrink_iters: u32) -> TestRunner {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(cases);
    let config = Config { cases, failure_persistence: None, max_shrink_iters, ..Config::default() };
    TestRunner::new(config)
}
