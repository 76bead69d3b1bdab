//! Transactions whose beginning is canceled.
use std::pin::pin;

use aftercall::db;
use futures_util::poll;
use sqlx::postgres::PgPoolOptions;

use crate::support::app::TestApp;

#[tokio::test]
async fn a_canceled_beginning_leaves_no_transaction_open() {
    let app = TestApp::start().await;
    let options = app.db.pool.connect_options().as_ref().clone();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    for polls in 1..30 {
        {
            let mut begun = pin!(db::begin(&pool));
            for _ in 0..polls {
                if poll!(&mut begun).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let pid: i32 =
            sqlx::query_scalar("select pg_backend_pid()").fetch_one(&pool).await.unwrap();
        let state = "select state from pg_stat_activity where pid = $1";
        let state: String =
            sqlx::query_scalar(state).bind(pid).fetch_one(&app.db.pool).await.unwrap();
        assert!(!state.contains("transaction"), "{state} after {polls} polls");
    }
}
