//! Transactions whose beginning is canceled.
use std::pin::{Pin, pin};

use aftercall::{db, reads::Reads};
use futures_util::poll;
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::support::app::TestApp;

/// A pool of one connection.
async fn pool_of(app: &TestApp) -> PgPool {
    let options = app.db.pool.connect_options().as_ref().clone();
    PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

/// Polls so many times, unless the future ends before.
async fn polled<T>(mut beginning: Pin<&mut impl Future<Output = T>>, polls: usize) {
    for _ in 0..polls {
        if poll!(&mut beginning).is_ready() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

async fn is_outside_of_transactions(pool: &PgPool, app: &TestApp, polls: usize) {
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(pool).await.unwrap();
    let state = "select state from pg_stat_activity where pid = $1";
    let state: String = sqlx::query_scalar(state).bind(pid).fetch_one(&app.db.pool).await.unwrap();
    assert!(!state.contains("transaction"), "{state} after {polls} polls");
}

#[tokio::test]
async fn a_canceled_beginning_leaves_no_transaction_open() {
    let app = TestApp::start().await;
    let pool = pool_of(&app).await;
    for polls in 1..30 {
        polled(pin!(db::begin(&pool)), polls).await;
        is_outside_of_transactions(&pool, &app, polls).await;
    }
}

#[tokio::test]
async fn a_read_whose_beginning_is_canceled_leaves_none_open_either() {
    let app = TestApp::start().await;
    let pool = pool_of(&app).await;
    let reads = Reads::of_primary(pool.clone());
    for polls in 1..30 {
        let mut connection = reads.acquire().await.unwrap();
        polled(pin!(connection.begin("begin read only")), polls).await;
        drop(connection);
        is_outside_of_transactions(&pool, &app, polls).await;
    }
}
