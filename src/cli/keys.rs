//! `aftercall keys`: manages API keys.
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::ExposeSecret as _;
use sqlx::PgPool;

use super::database;
use crate::{
    callers::{self, KeyTerms, Scope},
    config::Settings,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a key; it is shown only once.
    Create {
        /// The app that will use the key: lower-case letters, digits, `.`, `_`, `-`.
        caller: String,
        /// What the key is for, such as a host or a person.
        #[arg(long, default_value = "default")]
        name: String,
        /// Lifetime, such as 90d; by default the key does not expire.
        #[arg(long, value_parser = humantime_serde::re::humantime::parse_duration)]
        expires_in: Option<Duration>,
        /// A permission; may be repeated. Without any, the key may do everything that an app does with its own jobs:
        /// jobs:write, jobs:read, transcript:read, search:read and stats:read.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
    },
    /// List all keys, without their secrets.
    List,
    /// Revoke a key; running services reject it within a second.
    Revoke {
        /// The part of the key between `ac_` and the next `_`.
        id: String,
    },
}

pub async fn run(settings: Settings, command: Command) -> anyhow::Result<()> {
    database::with(&settings, async |db| carry_out(db, command).await).await
}

#[expect(clippy::print_stdout, reason = "keys are this command's output")]
async fn carry_out(db: &PgPool, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create { caller, name, expires_in, scopes } => {
            let scopes = if scopes.is_empty() { Scope::PLAIN } else { &scopes };
            let terms = KeyTerms { lifetime: expires_in, scopes };
            let key = callers::create(db, &caller, &name, terms).await.with_context(|| {
                format!("cannot create a key for {caller:?}; names are like crm or call-center.eu")
            })?;
            eprintln!("Key {} for {caller}; it is shown only once:", key.id);
            println!("{}", key.text.expose_secret());
        }
        Command::List => {
            let day = |at: Option<chrono::DateTime<chrono::Utc>>| {
                at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
            };
            println!(
                "{:16}  {:20}  {:16}  {:22}  {:16}  {:16}  REVOKED",
                "ID", "CALLER", "NAME", "SCOPES", "EXPIRES", "LAST USED"
            );
            for key in callers::keys(db).await? {
                println!(
                    "{:16}  {:20}  {:16}  {:22}  {:16}  {:16}  {}",
                    key.id,
                    key.caller,
                    key.name,
                    key.scopes.join(" "),
                    day(key.expires_at),
                    day(key.last_used_at),
                    day(key.revoked_at)
                );
            }
        }
        Command::Revoke { id } => {
            anyhow::ensure!(
                callers::revoke(db, &id).await?,
                "there is no valid key {id}; see `aftercall keys list`"
            );
            eprintln!("Key {id} revoked.");
        }
    }
    Ok(())
}
