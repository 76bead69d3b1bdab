//! `aftercall seal`: the keys that seal stored secrets.
use anyhow::{Context as _, ensure};
use clap::Subcommand;
use sqlx::PgPool;

use super::{database, output};
use crate::{
    app,
    config::{ConfigError, Settings},
    rotation::{Rotated, Rotation},
    seal::{self, Keys},
    telemetry,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a new key as a line for seal.key.
    Key {
        /// What the key is called, such as 2026-11: lower-case letters, digits, `.`, `_`, `-`. By default it gets a
        /// random name.
        id: Option<String>,
    },
    /// Seal everything with the first key of seal.key that other keys have sealed; safe beside running services.
    Rotate,
    /// Give up a key that is lost, and with it what it has sealed.
    Forget {
        id: String,
        /// Give it up even though it has sealed something.
        #[arg(long)]
        lose: bool,
    },
}

/// `settings` is called only by commands that need a database.
pub async fn run(
    command: Command,
    settings: impl FnOnce() -> Result<Settings, ConfigError>,
) -> anyhow::Result<()> {
    match command {
        Command::Key { id } => {
            let id = id.unwrap_or_else(|| format!("key-{:08x}", rand::random::<u32>()));
            let line = Keys::new_line(&id).with_context(|| {
                format!("cannot call a key {id:?}; ids are like 2026-11, of at most 40 characters")
            })?;
            output::print(&line)
        }
        Command::Rotate => {
            let settings = settings()?;
            telemetry::init(settings.log.format, "warn")?;
            database::with(&settings, async |db: &PgPool| rotate(&settings, db).await).await
        }
        Command::Forget { id, lose } => {
            database::with(&settings()?, async |db: &PgPool| forget(db, &id, lose).await).await
        }
    }
}

async fn rotate(settings: &Settings, db: &PgPool) -> anyhow::Result<()> {
    let seal = app::open_seal(settings, db).await?;
    let rotation = Rotation { db: db.clone(), seal: seal.clone() };
    let sealed = rotation.round().await.context("cannot seal what is stored in the clear")?;
    output::print(&format!("sealed {sealed} URLs that were stored in the clear\n"))?;
    let mut unreadable = 0;
    let mut lines = Vec::new();
    let rotated = rotation.rotate(|done| {
        unreadable += done.unreadable;
        let Rotated { column, rows, .. } = done;
        lines.push(format!("{}.{}: {rows} rotated\n", column.table, column.name));
    });
    rotated.await?;
    output::print(&lines.concat())?;
    let ids = seal.key_ids();
    for id in seal::known_ids(db).await? {
        if id == ids[0] {
            continue;
        }
        match rotation.sealed_with(&id).await? {
            0 => {
                seal::forget(db, &id).await?;
                output::print(&format!("{id} seals nothing any more: remove it from seal.key\n"))?;
            }
            left => output::print(&format!("{id} still seals {left}: run this again\n"))?,
        }
    }
    ensure!(unreadable == 0, "{unreadable} values cannot be opened with the keys of seal.key");
    Ok(())
}

async fn forget(db: &PgPool, id: &str, lose: bool) -> anyhow::Result<()> {
    let mut sealed = 0;
    for column in seal::COLUMNS {
        sealed += column.count(db, id).await?;
    }
    ensure!(
        sealed == 0 || lose,
        "{id} has sealed {sealed} values, which nothing can open without it; give them up with --lose"
    );
    ensure!(seal::forget(db, id).await?, "no rows are known to be sealed with {id}");
    output::print(&format!("{id} is forgotten; {sealed} values are lost\n"))
}
