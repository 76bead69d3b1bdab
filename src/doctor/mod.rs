//! Checks everything that Aftercall needs, from outside the service: each check says whether it is well, and if not,
//! what to do. None changes anything that the service can notice, except one call to the provider, which the gate counts.
//!
//! One file per subject. Every check runs, whatever the others found.
mod clock;
mod database;
mod disk;
mod media;
mod pooler;
mod prometheus;
mod provider;
mod replica;
mod rights;
mod seal;
mod webhook;

use serde::Serialize;
use sqlx::{PgPool, error::DatabaseError};
use url::Url;

use crate::{config::Settings, media::Store, provider::Client, reads::Reads};

/// What is examined.
#[derive(Debug)]
pub struct Examined<'a> {
    pub settings: &'a Settings,
    pub environment: &'a str,
    /// The database, or why it cannot be reached.
    pub db: Result<PgPool, String>,
    /// `None` if the database cannot be reached.
    pub reads: Option<Reads>,
    /// The provider, or the sandbox that replaces it; the reason if neither can be called.
    pub provider: Result<Client, String>,
    /// The store of uploaded recordings, if one is configured; the reason if it cannot be used.
    pub store: Result<Option<Store>, String>,
    /// The URL at which the provider reaches the webhook listener.
    pub webhook_base: Url,
}

impl Examined<'_> {
    fn is_production(&self) -> bool {
        self.environment == "production"
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    /// Contains no secrets, and no URLs with credentials.
    pub detail: String,
    /// What to do; `None` if all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    pub fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, detail: detail.into(), advice: None }
    }

    pub fn warn(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { check, verdict: Verdict::Warn, detail: detail.into(), advice }
    }

    pub fn fail(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(check, detail, advice) }
    }
}

/// Runs all checks except that of the configuration, which must have been loaded.
pub async fn examine(examined: &Examined<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &examined.db {
        Ok(db) => {
            let of_database = of_database(db, examined).await;
            let is_usable = of_database.len() > 1;
            findings.extend(of_database);
            if let Some(reads) = examined.reads.as_ref().filter(|_| is_usable) {
                findings.extend(replica::replica(reads).await);
            }
        }
        Err(why) => findings.push(Finding::fail(
            "database",
            why.clone(),
            "check database.url, its password and that Postgres is up; the checks that need it were left out",
        )),
    }
    findings.push(media::store(examined.store.as_ref()).await);
    findings.push(provider::call(examined).await);
    findings.extend(webhook::checks(examined).await);
    if let Some(url) = &examined.settings.ops.prometheus_url {
        findings.push(prometheus::reach(url).await);
    }
    findings
}

/// Behind a pooler that mixes up prepared statements, anything could be found.
async fn of_database(db: &PgPool, examined: &Examined<'_>) -> Vec<Finding> {
    let settings = examined.settings;
    let sessions = pooler::sessions(db, &settings.database).await;
    if sessions.verdict == Verdict::Fail {
        return vec![sessions];
    }
    vec![
        sessions,
        found("database", database::version(db).await),
        found("extensions", database::extensions(db).await),
        found("clock", clock::skew(db).await),
        found("migrations", database::migrations(db, settings.migrates_at_start()).await),
        found("rights", rights::rights(db, examined.is_production()).await),
        found("seal", seal::keys(db, &settings.seal).await),
        found("partitions", database::partitions(db).await),
        found("disk", disk::space(db).await),
    ]
}

/// A check that failed is a finding as well.
fn found(check: &'static str, result: sqlx::Result<Finding>) -> Finding {
    result.unwrap_or_else(|error| unchecked(check, &error))
}

/// The database could not answer what the check needs to know.
fn unchecked(check: &'static str, error: &sqlx::Error) -> Finding {
    // SQLSTATE (`PostgreSQL` manual, appendix A): no such table, schema or function.
    let code = error.as_database_error().and_then(DatabaseError::code);
    let is_missing = code.is_some_and(|code| ["42P01", "3F000", "42883"].contains(&&*code));
    // Rows that a migration inserts, such as secrets.
    if is_missing || matches!(error, sqlx::Error::RowNotFound) {
        let advice = "run `aftercall migrate`, then run this again";
        return Finding::warn(check, "not checked: the database is not migrated", advice);
    }
    let advice = "fix what the other lines about the database report, then run this again";
    Finding::fail(check, format!("cannot be checked: {error}"), advice)
}

/// The error and its causes, which contain no URL.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
