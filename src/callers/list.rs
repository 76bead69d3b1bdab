//! Lists API keys, without their secrets.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgExecutor;

/// A key as listed.
#[derive(Debug)]
pub struct KeyRow {
    pub id: String,
    pub caller: String,
    pub name: String,
    pub scopes: Vec<String>,
    /// Requests per `keys.rate_window`; `None`: `keys.rate_limit`.
    pub rate: Option<i32>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub successor_id: Option<String>,
    /// Neither revoked nor expired.
    pub is_valid: bool,
}

/// Which keys; the default is all of them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KeyFilter {
    pub id: Option<String>,
    pub caller: Option<String>,
    /// Valid keys that have existed, and not been used, for at least this long.
    pub unused_for: Option<Duration>,
}

/// Keys, newest first. `before`: only keys created before this one.
pub async fn keys(
    db: impl PgExecutor<'_>,
    filter: &KeyFilter,
    before: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<KeyRow>> {
    sqlx::query_as!(
        KeyRow,
        r#"
        select k.id, c.name as caller, k.name, k.scopes, k.rate, k.created_at, k.expires_at, k.revoked_at,
            k.last_used_at, k.successor_id,
            k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) as "is_valid!"
        from aftercall.api_keys k join aftercall.callers c on c.id = k.caller_id
        where ($1::text is null or k.id = $1)
            and ($2::text is null or c.name = $2)
            and ($3::float8 is null or (
                coalesce(k.last_used_at, k.created_at) <= now() - make_interval(secs => $3)
                and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())))
            and ($4::text is null or (k.created_at, k.id) < (
                select b.created_at, b.id from aftercall.api_keys b where b.id = $4))
        order by k.created_at desc, k.id desc
        limit $5
        "#,
        filter.id,
        filter.caller,
        filter.unused_for.map(|unused| unused.as_secs_f64()),
        before,
        limit,
    )
    .fetch_all(db)
    .await
}
