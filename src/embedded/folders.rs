//! The folders and files of a cluster.
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

/// A socket path must fit into `sun_path`, 104 bytes on macOS and 108 on Linux, including a final
/// NUL.
const LONGEST_SOCKET_PATH: usize = 100;

/// The folder of the service's own cluster: `AFTERCALL_DATA_DIR`, or the platform's usual place.
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
        .context("HOME is not set; set AFTERCALL_DATA_DIR to a folder for the database")
}

/// Where fetched programs are kept. Root's copy must be readable by the server's user, so it is not
/// below `/root`.
pub fn cache_root(environment: &EmbeddedEnvironment) -> Option<PathBuf> {
    if geteuid().is_root() {
        return Some("/var/cache/aftercall".into());
    }
    let base = environment.xdg_cache_home.clone();
    base.or_else(|| Some(environment.home.as_ref()?.join(".cache")))
        .map(|base| base.join("aftercall"))
}

/// The folders and files of one cluster. `root` is canonical, to match `/proc/PID/cwd`.
#[derive(Debug, Clone)]
pub struct Folders {
    pub root: PathBuf,
    is_ephemeral: bool,
}

impl Folders {
    /// Creates the root. An existing folder keeps its owner and mode, since it may be shared or
    /// mounted.
    ///
    /// It stays ours even when the server has its own user: that user may traverse it, but must not
    /// be able to plant links where we write as root.
    pub fn prepare(options: &Options, owner: &Owner) -> Result<Self, StartError> {
        let root = &options.root;
        let mode = if owner.0.is_some() { 0o711 } else { 0o700 };
        make_all(root, mode).map_err(StartError::at(root))?;
        owner.check_reaches(root)?;
        let root = root.canonicalize().map_err(StartError::at(root))?;
        Ok(Self { root, is_ephemeral: options.ephemeral })
    }

    /// One folder per major version, because no version can open another's files. Ephemeral
    /// clusters have a different name, so that wiping one can never delete durable data.
    pub fn data(&self, major: u32) -> PathBuf {
        self.root.join(format!("{}{major}", self.prefix()))
    }

    fn prefix(&self) -> &str {
        if self.is_ephemeral { "tmp" } else { "pg" }
    }

    /// The versions that have data, newest first.
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

    /// Held by the process that owns the server, from before its start until after it has stopped.
    pub fn lock(&self) -> PathBuf {
        self.root.join("launcher.lock")
    }

    /// Tells other processes the folder of the socket while the server runs.
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

/// Whether a server accepts connections in `sockets`.
pub fn is_answering(sockets: &Path) -> bool {
    UnixStream::connect(socket_file(sockets)).is_ok()
}

/// Creates `folder` and its missing parents with `mode`, regardless of the umask.
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

/// Replaces the file atomically, so that readers never see a partial one.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), StartError> {
    let unfinished = path.with_extension("tmp");
    fs::write(&unfinished, content).map_err(StartError::at(&unfinished))?;
    fs::rename(&unfinished, path).map_err(StartError::at(path))
}
