//! Signs in at the provider and asks for the status of a job that cannot exist: everything that a submission needs,
//! except that nothing is submitted.
use sqlx::PgPool;
use tokio::time::timeout;

use super::{Examined, Finding, chain, unchecked};
use crate::{
    config::{DEFAULT_ACCOUNT, GateSettings},
    db,
    provider::{
        Client, StatusError, TokenError,
        gate::{self, Purpose},
    },
};

const CHECK: &str = "provider";
/// The provider makes random ids, never this one.
const NO_JOB: &str = "00000000-0000-0000-0000-000000000000";

pub async fn call(examined: &Examined<'_>) -> Finding {
    let settings = &examined.settings.provider;
    let (client, db) = match (&examined.provider, &examined.db) {
        (Err(why), _) => return uncalled(examined, why.clone()),
        (_, Err(_)) => {
            let advice = "fix the database first: it counts the calls to the provider";
            return Finding::warn(CHECK, "not called without the database", advice);
        }
        (Ok(client), Ok(db)) => (client, db),
    };
    match granted(db, &settings.gate).await {
        Ok(None) => {}
        Ok(Some(why)) => {
            return Finding::warn(CHECK, format!("not called: {why}"), "run this again later");
        }
        Err(error) => return unchecked(CHECK, &error),
    }
    let Ok(answer) = timeout(settings.timeout, client.status(NO_JOB)).await else {
        return uncalled(examined, format!("no response within {} s", settings.timeout.as_secs()));
    };
    if let Err(error) = &answer {
        note(db, error, &settings.gate).await;
    }
    match answer {
        Ok(_) | Err(StatusError::UnknownJob { .. }) => called(examined, client),
        Err(error) => rejected(examined, &error),
    }
}

fn called(examined: &Examined<'_>, client: &Client) -> Finding {
    if examined.settings.has_provider() {
        return Finding::ok(CHECK, format!("signed in at {}; it answers calls", client.host()));
    }
    let detail = "the sandbox answers; no provider is configured";
    Finding::warn(CHECK, detail, "set provider.base_url and its credentials to analyze real calls")
}

/// There was no response.
fn uncalled(examined: &Examined<'_>, why: String) -> Finding {
    if examined.settings.has_provider() {
        let advice = "check provider.base_url, and that this host may connect to it";
        return Finding::fail(CHECK, why, advice);
    }
    let detail = format!("no provider is configured, and the sandbox is not reached: {why}");
    let advice = "start `aftercall serve`, which includes a sandbox, or set provider.base_url";
    Finding::warn(CHECK, detail, advice)
}

fn rejected(examined: &Examined<'_>, error: &StatusError) -> Finding {
    let detail = error.to_string();
    match error {
        StatusError::Unreachable(cause) => uncalled(examined, chain(cause)),
        StatusError::TokenUnavailable(TokenError::Unreachable(cause)) => {
            uncalled(examined, chain(cause.as_ref()))
        }
        StatusError::Throttled { .. }
        | StatusError::TokenUnavailable(TokenError::Throttled { .. }) => {
            let advice = "another app may use the same account; run this again in a minute";
            Finding::warn(CHECK, detail, advice)
        }
        StatusError::Broken { .. } | StatusError::TokenUnavailable(_) => {
            let advice = "look at the provider's status page; jobs wait until it recovers";
            Finding::warn(CHECK, detail, advice)
        }
        StatusError::Unauthorized { .. } => {
            let advice = "check provider.client_id, provider.client_secret and provider.jwt, then send SIGHUP";
            Finding::fail(CHECK, detail, advice)
        }
        _ => {
            let advice = "check the app's permission AI, and provider.base_url: docs/refusals.md";
            Finding::fail(CHECK, detail, advice)
        }
    }
}

/// `None`: the gate grants one call.
async fn granted(db: &PgPool, settings: &GateSettings) -> sqlx::Result<Option<String>> {
    if let Some(until) = gate::state(db).await?.blocked_until {
        return Ok(Some(format!("the rate limit was exceeded, a penalty lasts until {until:.0}")));
    }
    let mut tx = db::begin(db).await?;
    let calls =
        gate::take(&mut tx, DEFAULT_ACCOUNT, settings, Purpose::Poll { share: 1.0 }, 1).await?;
    tx.commit().await?;
    Ok((calls == 0).then(|| "the rate limit is used up".to_owned()))
}

/// What the response says about the rate limit is for all replicas. An error here changes nothing about the finding.
async fn note(db: &PgPool, error: &StatusError, settings: &GateSettings) {
    if let Some(rate) = error.rate() {
        let _ = gate::learn(db, DEFAULT_ACCOUNT, &rate).await;
    }
    if let StatusError::Throttled { retry_after, .. } = error {
        let _ = gate::block(db, DEFAULT_ACCOUNT, retry_after.unwrap_or(settings.penalty)).await;
    }
}
