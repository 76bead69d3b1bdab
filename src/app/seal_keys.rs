//! The keys that seal stored secrets: from the settings, or, outside production, from a file in the data folder that
//! the first start makes.
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use rand::Rng as _;
use sqlx::PgPool;

use crate::{
    config::{ConfigError, EmbeddedEnvironment, Settings},
    embedded,
    seal::{self, KeyFault, Keys, Seal},
};

/// In the data folder.
const FILE: &str = "seal.key";

/// The seal of this process, checked against the keys with which rows of the database are sealed.
///
/// # Errors
/// [`ConfigError`] when a key that the rows need is missing or different. No key is made for a database that already
/// has sealed rows: their key is elsewhere.
pub async fn open(settings: &Settings, db: &PgPool) -> anyhow::Result<Seal> {
    let seal = Seal::new(match settings.seal.keys() {
        Some(keys) => keys.map_err(ConfigError)?,
        None => own_keys(db).await?,
    });
    register(db, &seal).await?;
    Ok(seal)
}

/// Checks the keys and notes the current one.
pub async fn register(db: &PgPool, seal: &Seal) -> anyhow::Result<()> {
    match seal::register(db, seal).await {
        Ok(()) => Ok(()),
        Err(KeyFault::Database(error)) => Err(error).context("cannot check seal.key"),
        Err(fault) => Err(ConfigError(vec![format!(
            "{fault}. Add the key to seal.key (below the first line, if another one is current). If it is lost, \
             `aftercall seal forget ID` gives up what it sealed: docs/operations.md, \"Keys\""
        )])
        .into()),
    }
}

/// The keys of the file in the data folder.
async fn own_keys(db: &PgPool) -> anyhow::Result<Keys> {
    let folder = embedded::data_root(&EmbeddedEnvironment::read())?;
    let path = folder.join(FILE);
    if !path.exists() {
        let known = seal::known_ids(db).await.context("cannot look for sealed rows")?;
        if !known.is_empty() {
            return Err(ConfigError(vec![format!(
                "seal.key is not set and {} does not exist, but rows of this database are sealed with the keys {}: \
                 set seal.key to them, or restore that file",
                path.display(),
                known.join(", "),
            )])
            .into());
        }
        fs::create_dir_all(&folder).context("the data folder")?;
        make(&path).with_context(|| format!("cannot write {}", path.display()))?;
        tracing::info!(file = %path.display(), "no seal.key configured; made one");
    }
    let text = fs::read_to_string(&path);
    let text = zeroize::Zeroizing::new(text.with_context(|| format!("{}", path.display()))?);
    Keys::parse(&text).map_err(|faults| {
        let in_file = |fault| format!("{}: {fault}", path.display());
        ConfigError(faults.into_iter().map(in_file).collect()).into()
    })
}

/// Writes a new key that only this user can read. Of processes that start at the same time, one makes it.
fn make(path: &Path) -> io::Result<()> {
    let random = rand::rng().next_u64();
    // Every data folder has another id, so that a database that meets two of them tells them apart.
    let line =
        Keys::new_line(&format!("own-{:08x}", random >> 32)).ok_or(io::ErrorKind::InvalidInput)?;
    let draft = path.with_extension(format!("key.{random:016x}"));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        // Unlike renaming, linking replaces nothing.
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    let removed = fs::remove_file(&draft);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_key_is_made_and_kept_private() {
        let folder = std::env::temp_dir().join(format!("aftercall-seal-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join(FILE);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| make(&path).unwrap());
            }
        });
        let first = fs::read_to_string(&path).unwrap();
        make(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        assert_eq!(Keys::parse(&first).unwrap().ids().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no draft is left");
        fs::remove_dir_all(&folder).unwrap();
    }
}
