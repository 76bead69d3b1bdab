//! The state in which the provider rejects every submission for reasons unrelated to it: one probe at a time, from any
//! replica, tests whether it is over.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// Why the provider rejects submissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusing {
    pub blame: Blame,
    /// `None` when no submission was sent because the token endpoint rejected the credentials.
    pub status: Option<u16>,
    pub code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Blame {
    /// Our credentials, or the permissions of our app.
    #[sqlx(rename = "auth")]
    Credentials,
    /// The URL, or something between us and the provider.
    #[sqlx(rename = "upstream")]
    Address,
}

/// The state of the gate.
#[derive(Debug, Clone)]
pub struct GateState {
    pub blocked_until: Option<DateTime<Utc>>,
    pub refusing: Option<Since>,
}

#[derive(Debug, Clone)]
pub struct Since {
    pub since: DateTime<Utc>,
    pub what: Refusing,
    pub next_probe_at: DateTime<Utc>,
}

/// Records the rejection: from now on one submission is let through every `probe`. Returns whether this is new.
pub async fn refused(
    db: impl PgExecutor<'_>,
    account: &str,
    what: &Refusing,
    probe: Duration,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        with before as (
            select account, refused_since from aftercall.provider_gate
            where account = $5 for update
        )
        update aftercall.provider_gate gate set
            refused_since = coalesce(gate.refused_since, clock_timestamp()),
            refused_class = $1, refused_status = $2, refused_code = $3,
            probe_at = coalesce(gate.probe_at, clock_timestamp() + make_interval(secs => $4))
        from before where gate.account = before.account
        returning before.refused_since is null as "is_news!"
        "#,
        what.blame as Blame,
        what.status.map(i32::from),
        what.code,
        probe.as_secs_f64(),
        account,
    )
    .fetch_one(db)
    .await
}

/// Records that the provider processed a submission, which ends the state. Returns since when it lasted, if it did.
pub async fn taken(db: impl PgExecutor<'_>, account: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"
        with before as (
            select account, refused_since from aftercall.provider_gate
            where account = $1 and refused_since is not null for update
        )
        update aftercall.provider_gate gate set
            refused_since = null, refused_class = null, refused_status = null, refused_code = null,
            probe_at = null
        from before where gate.account = before.account
        returning before.refused_since as "since!"
        "#,
        account,
    )
    .fetch_optional(db)
    .await
}

/// Lets the next submission of each account through at once, because the cause of the rejections may be gone. Returns whether there
/// were any.
pub async fn retry_now(db: impl PgExecutor<'_>) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        r#"
        update aftercall.provider_gate set probe_at = clock_timestamp()
        where refused_since is not null
        "#,
    )
    .execute(db)
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// Whether and why submissions wait: the state of the account that is best off.
pub async fn state(db: impl PgExecutor<'_>) -> sqlx::Result<GateState> {
    let row = sqlx::query!(
        r#"
        select case when blocked_until > now() then blocked_until end as blocked_until,
            refused_since, refused_class as "refused_class: Blame", refused_status, refused_code,
            probe_at
        from aftercall.provider_gate where is_configured
        order by refused_since is not null, greatest(blocked_until, now()), account limit 1
        "#,
    )
    .fetch_one(db)
    .await?;
    let refusing = match (row.refused_since, row.refused_class, row.probe_at) {
        (Some(since), Some(blame), Some(next_probe_at)) => {
            let status = row.refused_status.and_then(|status| u16::try_from(status).ok());
            let what = Refusing { blame, status, code: row.refused_code };
            Some(Since { since, what, next_probe_at })
        }
        _ => None,
    };
    Ok(GateState { blocked_until: row.blocked_until, refusing })
}
