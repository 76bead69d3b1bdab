//! The user that runs the server: our own, or an unprivileged one when we are root.
use std::{
    fs::DirBuilder,
    io::ErrorKind,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, lchown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Uid, User, geteuid};

use super::StartError;

/// Tried in this order when `AFTERCALL_PG_USER` is not set.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// The user the server runs as when we are root, since Postgres refuses to run as root.
#[derive(Debug, Clone)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    name: String,
}

/// `None`: the server runs as the user that runs Aftercall.
#[derive(Debug, Clone)]
pub struct Owner(pub Option<Account>);

impl Owner {
    pub fn find(wanted: Option<&str>) -> Result<Self, StartError> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let names = wanted.as_ref().map_or(&USERS[..], std::slice::from_ref);
        let known = |name: &&str| User::from_name(name).ok().flatten();
        match names.iter().filter_map(known).find(|user| !user.uid.is_root()) {
            Some(User { uid, gid, name, .. }) => {
                Ok(Self(Some(Account { uid: uid.as_raw(), gid: gid.as_raw(), name })))
            }
            None => Err(StartError::NoAccount(names.join(" or "))),
        }
    }

    pub fn uid(&self) -> Uid {
        self.0.as_ref().map_or_else(geteuid, |account| Uid::from_raw(account.uid))
    }

    /// Makes `command` run as this user.
    pub fn run(&self, command: &mut Command) {
        if let Some(account) = &self.0 {
            command.uid(account.uid).gid(account.gid);
        }
    }

    /// Creates `folder` with access for this user only; the parent must exist.
    ///
    /// An existing folder is taken over if it belongs to this user or was left half made.
    pub fn make_folder(&self, folder: &Path) -> Result<(), StartError> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(StartError::at(folder)(error));
            }
            _ => {}
        }
        let found = folder.symlink_metadata().map_err(StartError::at(folder))?;
        let is_ours = [self.uid(), geteuid()].contains(&Uid::from_raw(found.uid()));
        if !is_ours || !found.is_dir() {
            return Err(StartError::ForeignFolder { folder: folder.into(), uid: found.uid() });
        }
        if let Some(Account { uid, gid, .. }) = self.0 {
            lchown(folder, Some(uid), Some(gid)).map_err(StartError::at(folder))?;
        }
        Ok(())
    }

    /// Tests by entering the folder: parents such as `/root` may be closed to this user.
    pub fn check_reaches(&self, folder: &Path) -> Result<(), StartError> {
        let Some(account) = &self.0 else { return Ok(()) };
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "cd \"$1\"", "sh"]).arg(folder);
        shell.current_dir("/").env_clear().stdin(Stdio::null()).stderr(Stdio::null());
        self.run(&mut shell);
        match shell.status() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(StartError::Unreachable { folder: folder.into(), user: account.name.clone() }),
        }
    }
}
