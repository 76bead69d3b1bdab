//! Transactions that are begun safely.
use std::io;

use sqlx::{PgPool, PgTransaction};

/// Begins a transaction for a statement that is composed for a request. It is planned for the actual values, since their
/// frequency decides the access path.
///
/// Outside of a transaction, a statement that is not prepared by name could reach another session than the one that has parsed
/// it: docs/decisions/038-poolers.md.
pub const READING: &str = "begin read only; set local plan_cache_mode = force_custom_plan";

/// Begins a transaction. If the future is dropped, as those of requests are whose clients have gone, none stays open.
///
/// sqlx 0.9 counts a transaction only once the server has confirmed it. If nobody waits for that, the connection goes back to
/// the pool inside of it, and what is written through it afterwards is never committed. So a task waits in any case, and
/// rolls back what nobody takes.
pub async fn begin(db: &PgPool) -> sqlx::Result<PgTransaction<'static>> {
    begin_with(db, "begin").await
}

/// The same with another statement that begins one.
pub async fn begin_with(
    db: &PgPool,
    statement: &'static str,
) -> sqlx::Result<PgTransaction<'static>> {
    let db = db.clone();
    let begun = tokio::spawn(async move { db.begin_with(statement).await });
    begun.await.map_err(|error| sqlx::Error::Io(io::Error::other(error)))?
}

/// Begins by [`READING`]. It need not be committed: it is rolled back behind the response.
pub async fn begin_reading(db: &PgPool) -> sqlx::Result<PgTransaction<'static>> {
    begin_with(db, READING).await
}
