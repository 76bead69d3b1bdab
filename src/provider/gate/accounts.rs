//! The accounts at the provider, each with its own row of the gate.
use sqlx::{PgExecutor, PgPool, PgTransaction};

use super::STRETCH;
use crate::{
    config::{AccountGate, DEFAULT_ACCOUNT},
    db,
};

/// The settings of the gates, by column.
pub(super) struct Columns {
    pub accounts: Vec<String>,
    pub limits: Vec<i32>,
    /// In seconds.
    pub windows: Vec<f64>,
}

impl Columns {
    /// The windows are made longer by `stretch`.
    pub fn of(gates: &[AccountGate], stretch: f64) -> Self {
        let limit = |gate: &AccountGate| i32::try_from(gate.settings.limit).unwrap_or(i32::MAX);
        Self {
            accounts: gates.iter().map(|gate| gate.account.clone()).collect(),
            limits: gates.iter().map(limit).collect(),
            windows: gates
                .iter()
                .map(|gate| gate.settings.window.as_secs_f64() * stretch)
                .collect(),
        }
    }
}

/// Makes these the configured accounts: new ones get a row, and the others stay for their jobs under way.
pub async fn configure(db: &PgPool, gates: &[AccountGate]) -> sqlx::Result<()> {
    let further: Vec<AccountGate> =
        gates.iter().filter(|gate| gate.account != DEFAULT_ACCOUNT).cloned().collect();
    let Columns { accounts, limits, windows } = Columns::of(&further, 1.0);
    let mut tx = db::begin(db).await?;
    sqlx::query!(
        r#"
        insert into aftercall.provider_gate
            (rate_group, account, configured_limit, window_seconds, kept_secs)
        select 'heavy/' || name, name, calls, secs, secs * $4
        from unnest($1::text[], $2::int[], $3::float8[]) a (name, calls, secs)
        order by name
        on conflict (rate_group) do update set
            configured_limit = excluded.configured_limit, window_seconds = excluded.window_seconds,
            is_configured = true
        "#,
        &accounts,
        &limits,
        &windows,
        STRETCH,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update aftercall.provider_gate set is_configured = false
         where account <> $2 and account <> all($1) and is_configured",
        &accounts,
        DEFAULT_ACCOUNT,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// The accounts that the worker that started last has configured.
pub async fn configured(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select account from aftercall.provider_gate where is_configured")
        .fetch_all(db)
        .await
}

/// Those of the accounts that have calls left for submissions, the one with the most first.
///
/// The row of the default account stays locked until the transaction ends: claims follow one another, whichever account
/// they are for, so that each sees the turns and quotas of the earlier ones.
pub async fn with_room(
    tx: &mut PgTransaction<'_>,
    gates: &[AccountGate],
) -> sqlx::Result<Vec<String>> {
    let Columns { accounts, limits, windows } = Columns::of(gates, STRETCH);
    sqlx::query!(
        r#"select account as "account!" from aftercall.provider_gate where account = $1 for update"#,
        DEFAULT_ACCOUNT
    )
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query_scalar!(
        r#"
        select gate.account
        from unnest($1::text[], $2::int[], $3::float8[]) a (name, calls, secs)
        join aftercall.provider_gate gate on gate.account = a.name
        cross join lateral
            aftercall.calls_until(gate.account, now() - make_interval(secs => a.secs)) past
        cross join lateral (
            select greatest(1, least(a.calls, coalesce(limit_seen, a.calls)))
                - (calls_total - past.calls) as calls
        ) free
        where free.calls > 0 and coalesce(greatest(blocked_until, probe_at) <= clock_timestamp(), true)
        order by refused_since is not null, free.calls desc, gate.account
        "#,
        &accounts,
        &limits,
        &windows,
    )
    .fetch_all(&mut **tx)
    .await
}
