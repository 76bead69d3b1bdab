//! `aftercall keys`: manages API keys.
use std::{fmt::Write as _, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use secrecy::ExposeSecret as _;
use sqlx::PgPool;

use super::{database, output};
use crate::{
    callers::{self, KeyFilter, KeyTerms, NewKey, Rolled, Scope},
    config::{KeysSettings, Settings, shown_age},
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a key; it is shown only once.
    Create {
        /// The app that will use the key: lower-case letters, digits, `.`, `_`, `-`.
        caller: String,
        /// What the key is for, such as a host or a person.
        #[arg(long, default_value = "default", value_parser = name)]
        name: String,
        /// Lifetime, such as 90d, or "off": the key does not expire. Default: keys.lifetime.
        #[arg(long, value_name = "TIME", value_parser = lifetime)]
        expires_in: Option<Lifetime>,
        /// A permission; may be repeated. Without any, the key may do everything that an app does with its own jobs:
        /// jobs:write, jobs:read, transcript:read, search:read and stats:read.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// Requests per `keys.rate_window`; default: `keys.rate_limit`.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(callers::MAX_RATE)))]
        rate: Option<u32>,
    },
    /// List keys, newest first, without their secrets.
    List {
        /// Only valid keys that have not been used for this long, such as 90d.
        #[arg(long, value_name = "TIME", value_parser = age)]
        unused: Option<Duration>,
        /// Only keys of this caller.
        #[arg(long)]
        caller: Option<String>,
    },
    /// Revoke a key; running services reject it within a second.
    Revoke {
        /// The part of the key between `ac_` and the next `_`.
        id: String,
    },
    /// Create the successor of a key, with the same caller, name, scopes and rate; it is shown only once. The old key
    /// stays valid for a while, so that the app can change over.
    Roll {
        /// The part of the old key between `ac_` and the next `_`.
        id: String,
        /// How long the old key stays valid, such as 24h. Default: keys.overlap.
        #[arg(long, value_name = "TIME", value_parser = age)]
        overlap: Option<Duration>,
        /// Lifetime of the new key, such as 90d, or "off". Default: keys.lifetime.
        #[arg(long, value_name = "TIME", value_parser = lifetime)]
        expires_in: Option<Lifetime>,
    },
}

/// `None`: does not expire.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime(Option<Duration>);

pub async fn run(settings: Settings, command: Command) -> anyhow::Result<()> {
    let of = &settings.keys;
    database::with(&settings, async |db| carry_out(db, of, command).await).await
}

async fn carry_out(db: &PgPool, of: &KeysSettings, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create { caller, name, expires_in, scopes, rate } => {
            anyhow::ensure!(
                callers::is_caller_name(&caller),
                "cannot create a key for {caller:?}; names are like crm or call-center.eu"
            );
            let scopes = if scopes.is_empty() { Scope::PLAIN } else { &scopes };
            let lifetime = expires_in.map_or(of.lifetime, |Lifetime(lifetime)| lifetime);
            let terms = KeyTerms { lifetime, scopes, rate };
            let key = callers::create(db, &caller, &name, terms).await?;
            show(&key, &format!("for {caller}"))?;
        }
        Command::List { unused, caller } => {
            list(db, &KeyFilter { caller, unused_for: unused, id: None }).await?;
        }
        Command::Revoke { id } => {
            anyhow::ensure!(callers::revoke(db, &id).await?, no_valid_key(&id));
            eprintln!("Key {id} revoked.");
        }
        Command::Roll { id, overlap, expires_in } => {
            let overlap = overlap.unwrap_or(of.overlap);
            let lifetime = expires_in.map_or(of.lifetime, |Lifetime(lifetime)| lifetime);
            match callers::roll(db, &id, overlap, lifetime).await? {
                Rolled::Successor(key) => {
                    show(&key, &format!("replaces {id}, which expires in {}", shown_age(overlap)))?;
                }
                Rolled::NotValid => anyhow::bail!(no_valid_key(&id)),
                Rolled::Before(successor) => anyhow::bail!(
                    "key {id} has the successor {successor}; if that was lost, revoke it, then roll again"
                ),
            }
        }
    }
    Ok(())
}

/// Only the key is on standard output.
fn show(key: &NewKey, what: &str) -> anyhow::Result<()> {
    eprintln!("Key {} {what}; it is shown only once:", key.id);
    output::print(&format!("{}\n", key.text.expose_secret()))
}

fn no_valid_key(id: &str) -> String {
    format!("there is no valid key {id}; see `aftercall keys list`")
}

async fn list(db: &PgPool, filter: &KeyFilter) -> anyhow::Result<()> {
    let time = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
    };
    let mut text = format!(
        "{:16}  {:20}  {:16}  {:>6}  {:16}  {:16}  {:16}  {:16}  {:16}  SCOPES\n",
        "ID", "CALLER", "NAME", "RATE", "CREATED", "EXPIRES", "LAST USED", "REVOKED", "SUCCESSOR"
    );
    for key in callers::keys(db, filter, None, i64::MAX).await? {
        writeln!(
            text,
            "{:16}  {:20}  {:16}  {:>6}  {:16}  {:16}  {:16}  {:16}  {:16}  {}",
            key.id,
            key.caller,
            key.name,
            key.rate.map_or_else(|| "-".to_owned(), |rate| rate.to_string()),
            time(Some(key.created_at)),
            time(key.expires_at),
            time(key.last_used_at),
            time(key.revoked_at),
            key.successor_id.as_deref().unwrap_or("-"),
            key.scopes.join(" "),
        )
        .context("the list")?;
    }
    output::print(&text)
}

fn name(text: &str) -> Result<String, String> {
    if (1..=callers::MAX_NAME).contains(&text.chars().count()) && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!("must have 1 to {} characters, on one line", callers::MAX_NAME))
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let age = humantime_serde::re::humantime::parse_duration(text);
    match age {
        Ok(age) if age <= callers::LONGEST_LIFETIME => Ok(age),
        Ok(_) => Err("is longer than 50 years".to_owned()),
        Err(error) => Err(format!("{error}; write a time such as 90d")),
    }
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    match text {
        "off" => Ok(Lifetime(None)),
        _ => match age(text)? {
            Duration::ZERO => Err("must be longer than nothing".to_owned()),
            lifetime => Ok(Lifetime(Some(lifetime))),
        },
    }
}
