//! The connection pool and the migrations.
use sqlx::migrate::Migrator;

/// The files in `migrations/`, built into the binary.
pub static MIGRATOR: Migrator = sqlx::migrate!();
