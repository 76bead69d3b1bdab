//! Hot statements find their rows by an index, however many there are.
//!
//! Postgres counts, table by table, what a transaction reads from end to end: that also tells of the
//! statements inside functions, as they were really planned.
mod stats;

use sqlx::PgTransaction;

/// The tables of which this transaction has read rows by going through all of them.
pub async fn scanned(tx: &mut PgTransaction<'_>) -> Vec<String> {
    let query = "select relname::text from pg_stat_xact_user_tables
        where schemaname = 'aftercall' and seq_tup_read > 0 order by relname";
    sqlx::query_scalar(query).fetch_all(&mut **tx).await.unwrap()
}
