//! `aftercall keys`: who may call the API.
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
    /// Make a key. It is shown once and cannot be shown again.
    Create {
        /// The internal app that will use it: lower-case letters, digits, `.`, `_`, `-`.
        caller: String,
        /// What this key is for, such as a host or a person.
        #[arg(long, default_value = "default")]
        name: String,
        /// How long it is valid, such as 90d; for ever when left out.
        #[arg(long, value_parser = humantime_serde::re::humantime::parse_duration)]
        expires_in: Option<Duration>,
        /// A right beyond the caller's own jobs; may be repeated.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
    },
    /// List all keys; never their secrets.
    List,
    /// End a key; running services stop honouring it within a second.
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
            let terms = KeyTerms { lifetime: expires_in, scopes: &scopes };
            let key = callers::create(db, &caller, &name, terms).await.with_context(|| {
                format!("cannot make a key for {caller:?}; names are like crm or call-center.eu")
            })?;
            eprintln!("Key {} of {caller}; it is shown this once:", key.id);
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
            eprintln!("Key {id} is revoked.");
        }
    }
    Ok(())
}
