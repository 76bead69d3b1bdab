//! Where a cluster keeps its things.
use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use nix::unistd::geteuid;
use sha2::{Digest as _, Sha256};

use super::{Options, PORT, StartError, account::Owner};
use crate::config::EmbeddedEnvironment;

/// A socket's path must fit into `sun_path`: 104 bytes on macOS, 108 on Linux; one is the zero.
const LONGEST_SOCKET_PATH: usize = 100;

/// The folder of the service's own cluster: `AFTERCALL_DATA_DIR`, else the usual place.
pub fn data_root(environment: &EmbeddedEnvironment) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &environment.data_dir {
        return std::path::absolute(folder).context("AFTERCALL_DATA_DIR");
    }
    if geteuid().is_root() {
        return Ok("/var/lib/aftercall".into());
    }
    let base = environment.xdg_data_home.clone();
    base.or_else(|| Some(environment.home.as_ref()?.join(".local/share")))
        .map(|base| base.join("aftercall"))
        .context("HOME is not set; name a folder for the database in AFTERCALL_DATA_DIR")
}

/// Where fetched programs are kept. Root's are for the server's user too, so not below `/root`.
pub fn cache_root(environment: &EmbeddedEnvironment) -> Option<PathBuf> {
    if geteuid().is_root() {
        return Some("/var/cache/aftercall".into());
    }
    let base = environment.xdg_cache_home.clone();
    base.or_else(|| Some(environment.home.as_ref()?.join(".cache")))
        .map(|base| base.join("aftercall"))
}

/// The folders and files of one cluster; `root` is canonical, as `/proc/PID/cwd` will show it.
#[derive(Debug, Clone)]
pub struct Folders {
    pub root: PathBuf,
    is_ephemeral: bool,
}

impl Folders {
    /// Makes the root. A folder that exists keeps its owner and mode: it may be shared or mounted.
    ///
    /// It stays ours even when the server has a user of its own, who may pass through but not
    /// put links in the way of what we write there as root.
    pub fn prepare(options: &Options, owner: &Owner) -> Result<Self, StartError> {
        let root = &options.root;
        let mode = if owner.0.is_some() { 0o711 } else { 0o700 };
        make_all(root, mode).map_err(StartError::at(root))?;
        owner.check_reaches(root)?;
        let root = root.canonicalize().map_err(StartError::at(root))?;
        Ok(Self { root, is_ephemeral: options.ephemeral })
    }

    /// Per major version, because no version opens the files of another. A cluster for tests has a
    /// name of its own, so that wiping it can never hit durable data.
    pub fn data(&self, major: u32) -> PathBuf {
        self.root.join(format!("{}{major}", self.prefix()))
    }

    fn prefix(&self) -> &str {
        if self.is_ephemeral { "tmp" } else { "pg" }
    }

    /// The versions there is data of, newest first.
    pub fn majors(&self) -> Vec<u32> {
        let names = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let major = |name: &str| name.strip_prefix(self.prefix())?.parse().ok();
        let mut majors: Vec<u32> = names
            .filter(|entry| entry.path().join("PG_VERSION").exists())
            .filter_map(|entry| major(entry.file_name().to_str()?))
            .collect();
        majors.sort_unstable_by(|a, b| b.cmp(a));
        majors
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Held by the process that owns the server, from before its start until after its end.
    pub fn lock(&self) -> PathBuf {
        self.root.join("launcher.lock")
    }

    /// Names the folder of the socket for other processes, while the server runs.
    pub fn endpoint(&self) -> PathBuf {
        self.root.join("endpoint")
    }

    pub fn sockets(&self) -> PathBuf {
        let usual = self.root.join("s");
        if socket_file(&usual).as_os_str().len() <= LONGEST_SOCKET_PATH {
            return usual;
        }
        let hash = Sha256::digest(self.root.as_os_str().as_bytes());
        let hash = hash.iter().take(8).fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
        PathBuf::from(format!("/tmp/aftercall-{}-{hash:016x}", geteuid()))
    }
}

pub fn socket_file(sockets: &Path) -> PathBuf {
    sockets.join(format!(".s.PGSQL.{PORT}"))
}

/// Whether somebody listens in `sockets`.
pub fn is_answering(sockets: &Path) -> bool {
    UnixStream::connect(socket_file(sockets)).is_ok()
}

/// Makes `folder` and its parents; those that are new get `mode`, whatever the umask.
pub fn make_all(folder: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            result => {
                result?;
                fs::set_permissions(folder, Permissions::from_mode(mode))?;
            }
        }
    }
    Ok(())
}

/// Puts `content` into place in one step, so that readers never see half of it.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), StartError> {
    let unfinished = path.with_extension("tmp");
    fs::write(&unfinished, content).map_err(StartError::at(&unfinished))?;
    fs::rename(&unfinished, path).map_err(StartError::at(path))
}
