//! Creates the files of a new cluster.
use std::{fs, path::Path};

use super::{
    Options, ROLE, StartError,
    account::Owner,
    discover::Binaries,
    exec_wrapper::{self, DeathSignal},
    folders::Folders,
};

/// Separates the final name from the process id in the name of an unfinished cluster.
const UNFINISHED: &str = ".init.";

/// From this version on, a UTF-8 locale is built in and behaves the same on every machine.
const FIRST_WITH_BUILTIN_LOCALE: u32 = 17;

/// Creates the cluster of `binaries`' version if it does not exist.
///
/// It is renamed into place only when complete, so an interrupted run leaves nothing that looks
/// like a cluster; the next run removes the remains.
pub fn ensure(
    options: &Options,
    folders: &Folders,
    owner: &Owner,
    binaries: &Binaries,
) -> Result<(), StartError> {
    let data = folders.data(binaries.major);
    clear_unfinished(folders);
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    let name = data.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folders.root.join(format!("{name}{UNFINISHED}{}", std::process::id()));
    let mut result = Ok(());
    for locale in locales(binaries.major) {
        owner.make_folder(&unfinished)?;
        result = initdb(options, owner, binaries, &unfinished, locale);
        if result.is_ok() {
            return fs::rename(&unfinished, &data).map_err(StartError::at(data));
        }
        let _ = fs::remove_dir_all(&unfinished); // the next run tries again
    }
    result
}

/// Removes the remains of killed runs. If an `initdb` that is still ending gets in the way, its
/// folder stays; it does no harm.
fn clear_unfinished(folders: &Folders) {
    for entry in fs::read_dir(&folders.root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(UNFINISHED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Best first: not every libc has `C.UTF-8`. The encoding is UTF-8 either way.
fn locales(major: u32) -> &'static [&'static [&'static str]] {
    if major >= FIRST_WITH_BUILTIN_LOCALE {
        &[&["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]]
    } else {
        &[&["--locale=C.UTF-8"], &["--locale=C"]]
    }
}

fn initdb(
    options: &Options,
    owner: &Owner,
    binaries: &Binaries,
    folder: &Path,
    locale: &[&str],
) -> Result<(), StartError> {
    let program = binaries.folder.join("initdb");
    let mut command = exec_wrapper::command(
        &options.exe,
        owner,
        &options.environment,
        DeathSignal::Kill,
        &program,
    );
    command.arg("-D").arg(folder).args(["-U", ROLE, "--encoding=UTF8", "--no-instructions"]);
    // "local" is the socket, which no other user can open; there is no TCP listener.
    command.args(["--auth-local=trust", "--auth-host=scram-sha-256"]).args(locale);
    if options.ephemeral {
        command.args(["--no-sync", "--wal-segsize=1"]);
    }
    let output = command.output().map_err(StartError::at(&options.exe))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(StartError::Initdb(String::from_utf8_lossy(&text).trim().to_owned()))
}
