//! Temporary folders for tests, in memory if there is enough.
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// Docker provides 64 MB by default; a migrated database takes 8.
const ROOM_NEEDED: u128 = 1 << 30;

/// Parent of the temporary folders. Not below the checkout, which may be closed to the server's
/// user.
pub fn base() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = nix::sys::statvfs::statvfs(memory).map_or(0, |found| {
        u128::from(found.blocks_available()) * u128::from(found.fragment_size())
    });
    if room >= ROOM_NEEDED { memory.to_path_buf() } else { std::env::temp_dir() }
}

/// The folder of one test, removed at its end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = base().join(format!("aftercall-it-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        // Regardless of the umask: the server's user must be able to traverse it.
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Killed servers may still be stopping.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A copy of the binary under test for other users: its build folder may be closed to them.
pub fn binary_for_all(folder: &Path) -> PathBuf {
    let copy = folder.join("aftercall");
    // By another process: what a test that forks just now inherits must not be open for writing,
    // or the copy cannot be run ("text file busy").
    let mut install = Command::new("install");
    install.args(["-m", "755", env!("CARGO_BIN_EXE_aftercall")]).arg(&copy);
    assert!(install.status().unwrap().success());
    copy
}
