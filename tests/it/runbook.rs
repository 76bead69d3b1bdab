//! The queries of the runbook, as somebody on call would paste them.
use crate::support::app::TestApp;

const RUNBOOK: &str = include_str!("../../docs/runbook.md");

fn queries() -> impl Iterator<Item = &'static str> {
    RUNBOOK.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap())
}

#[tokio::test]
async fn every_query_of_the_runbook_runs() {
    let app = TestApp::start().await;
    let mut count = 0;
    for query in queries() {
        let ran = sqlx::raw_sql(query).execute(&app.db.pool).await;
        assert!(ran.is_ok(), "{}\n{query}", ran.unwrap_err());
        count += 1;
    }
    assert!(count > 10, "{count}");
}
