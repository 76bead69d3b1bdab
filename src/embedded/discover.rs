//! Finds the programs of a Postgres version that can run here.
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{StartError, account::Owner, exec_wrapper::clean, fetch, folders::Folders};
use crate::config::EmbeddedEnvironment;

const OLDEST_MAJOR: u32 = 14;

/// Where packages install versions side by side: parent folder, text before the version number,
/// subfolder.
const INSTALLATIONS: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
];

/// A folder that contains `postgres` and `initdb`.
#[derive(Debug, Clone)]
pub struct Binaries {
    pub folder: PathBuf,
    pub major: u32,
}

/// Finds the programs for the cluster in `folders`, and fetches them if there are none.
///
/// When there is data already, only a matching major version will do.
pub fn find(
    folders: &Folders,
    owner: &Owner,
    environment: &EmbeddedEnvironment,
) -> Result<Binaries, StartError> {
    let data = folders.majors();
    let probed = |folder: &Path| probe(folder, owner, environment);
    let mut found = Vec::new();
    if let Some(folder) = &environment.pg_bin {
        let Some(binaries) = probed(folder) else {
            return Err(StartError::UnusableBinaries(folder.clone()));
        };
        found.push(binaries);
    } else {
        for folder in candidates(environment) {
            found.extend(probed(&folder));
            let newest = |binaries: &Binaries| Some(&binaries.major) == data.first();
            if found.iter().any(|binaries| data.is_empty() || newest(binaries)) {
                break;
            }
        }
        if found.is_empty() || data.contains(&fetch::MAJOR) && best(&found, &data).is_none() {
            match fetch::fetch(environment, |folder| probed(folder).is_some()) {
                Ok(folder) => found.extend(probed(&folder)),
                Err(reason) if found.is_empty() => {
                    return Err(StartError::NoBinaries { fetch: reason });
                }
                Err(reason) => tracing::warn!(%reason, "cannot download PostgreSQL"),
            }
        }
    }
    best(&found, &data).cloned().ok_or_else(|| StartError::OtherMajor {
        root: folders.root.clone(),
        found: found.iter().map(|binaries| binaries.major).collect(),
        data,
    })
}

/// With data: the newest version of it that can run. Without: the first one found.
fn best<'a>(found: &'a [Binaries], data: &[u32]) -> Option<&'a Binaries> {
    if data.is_empty() {
        return found.first();
    }
    data.iter().find_map(|major| found.iter().find(|binaries| binaries.major == *major))
}

/// Folders to check, best first.
fn candidates(environment: &EmbeddedEnvironment) -> Vec<PathBuf> {
    let on_path = std::env::split_paths(&environment.path)
        .filter_map(|folder| fs::canonicalize(folder.join("postgres")).ok())
        .filter_map(|program| Some(program.parent()?.to_path_buf()));
    let mut folders: Vec<PathBuf> = on_path.collect();
    folders.extend(pg_config());

    let mut installed: Vec<(u32, PathBuf)> = Vec::new();
    for (root, before, after) in INSTALLATIONS {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(before)?.parse().ok());
            installed.extend(number.map(|major| (major, entry.path().join(after))));
        }
    }
    installed.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    folders.extend(installed.into_iter().map(|(_, folder)| folder));
    folders.extend(fetch::binaries(environment));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    (output.status.success() && folder.is_absolute()).then_some(folder)
}

/// Runs `postgres --version` as the server's user, which also shows that the folder is accessible
/// and the libraries are present.
fn probe(folder: &Path, owner: &Owner, environment: &EmbeddedEnvironment) -> Option<Binaries> {
    let folder = folder.canonicalize().ok()?;
    for program in ["initdb", "postgres"] {
        let found = fs::metadata(folder.join(program)).ok()?;
        if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
            return None;
        }
    }
    let mut command = Command::new(folder.join("postgres"));
    clean(&mut command, environment).arg("--version");
    owner.run(&mut command);
    let output = command.output().ok()?;
    let major = major(&String::from_utf8(output.stdout).ok()?)?;
    (output.status.success() && major >= OLDEST_MAJOR).then_some(Binaries { folder, major })
}

/// Parses a line such as `postgres (PostgreSQL) 15.18 (Debian 15.18-1)` or `… 19beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once(") ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32) -> Binaries {
        Binaries { folder: PathBuf::from(format!("/pg{major}")), major }
    }

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn the_version_that_has_data_wins_over_the_one_found_first() {
        let found = [binaries(18), binaries(15), binaries(16)];
        assert_eq!(best(&found, &[]).unwrap().major, 18);
        assert_eq!(best(&found, &[16, 15]).unwrap().major, 16);
        assert!(best(&found, &[17]).is_none());
    }
}
