//! Receives an upload into a temporary file, which is deleted unless it is stored.
//!
//! One thread writes and another hashes; the sender waits when the disk is slower than the network.
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::{sync::mpsc, task::JoinHandle};
use uuid::Uuid;

/// Chunks on their way to the disk; a chunk is at most what a connection reads at once.
const WAITING: usize = 8;

/// Bytes after which the disk is told to begin: otherwise it would only begin at the end, when the sender waits for it.
const UNSYNCED: usize = 32 << 20;

/// An upload in progress. Dropping it deletes the file.
#[derive(Debug)]
pub struct Spool {
    to_disk: mpsc::Sender<Bytes>,
    to_hash: mpsc::Sender<Bytes>,
    writing: JoinHandle<io::Result<TemporaryFile>>,
    hashing: JoinHandle<([u8; 32], u64)>,
}

/// A received file; deleted when this is dropped.
#[derive(Debug)]
pub struct Spooled {
    pub sha256: [u8; 32],
    pub bytes: u64,
    file: TemporaryFile,
}

#[derive(Debug)]
struct TemporaryFile(Option<PathBuf>);

impl Spool {
    /// Creates a file in `folder`, which is created if it is missing. `is_kept`: the file itself is to be stored.
    pub(super) fn create(folder: PathBuf, is_kept: bool) -> Self {
        let (to_disk, received) = mpsc::channel(WAITING);
        let writing = tokio::task::spawn_blocking(move || write(&folder, received, is_kept));
        let (to_hash, received) = mpsc::channel(WAITING);
        let hashing = tokio::task::spawn_blocking(move || hash(received));
        Self { to_disk, to_hash, writing, hashing }
    }

    /// # Errors
    /// When the file cannot be written.
    pub async fn push(&mut self, chunk: Bytes) -> io::Result<()> {
        let is_taken = self.to_hash.send(chunk.clone()).await.is_ok();
        if is_taken && self.to_disk.send(chunk).await.is_ok() {
            return Ok(());
        }
        // The thread has ended, and says why.
        match (&mut self.writing).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Err(io::Error::other("the spool has ended")),
        }
    }

    /// Call when everything has been pushed.
    pub async fn finish(self) -> io::Result<Spooled> {
        drop((self.to_disk, self.to_hash));
        let file = self.writing.await.map_err(io::Error::other)??;
        let (sha256, bytes) = self.hashing.await.map_err(io::Error::other)?;
        Ok(Spooled { sha256, bytes, file })
    }
}

impl Spooled {
    pub fn path(&self) -> &Path {
        self.file.0.as_deref().unwrap_or(Path::new(""))
    }

    pub fn open(&self) -> io::Result<File> {
        File::open(self.path())
    }

    /// Moves the file to `path`. Once this returns, it is there, whole, even after a power failure.
    pub(super) fn place(mut self, path: &Path) -> io::Result<()> {
        self.open()?.sync_all()?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        fs::rename(self.path(), path)?;
        self.file.0 = None;
        File::open(folder)?.sync_all()
    }
}

fn write(
    folder: &Path,
    mut chunks: mpsc::Receiver<Bytes>,
    is_kept: bool,
) -> io::Result<TemporaryFile> {
    fs::create_dir_all(folder)?;
    let path = folder.join(Uuid::now_v7().to_string());
    let mut file = File::create_new(&path)?;
    let temporary = TemporaryFile(Some(path));
    let (mut unsynced, mut syncing) = (0, None);
    while let Some(chunk) = chunks.blocking_recv() {
        file.write_all(&chunk)?;
        unsynced += chunk.len();
        let is_idle = syncing.as_ref().is_none_or(thread::JoinHandle::is_finished);
        if is_kept && unsynced >= UNSYNCED && is_idle {
            synced(syncing)?;
            let file = file.try_clone()?;
            syncing = Some(thread::Builder::new().spawn(move || file.sync_data())?);
            unsynced = 0;
        }
    }
    synced(syncing)?;
    Ok(temporary)
}

/// The kernel reports an error of the disk once, to whichever of the syncs comes first.
fn synced(syncing: Option<thread::JoinHandle<io::Result<()>>>) -> io::Result<()> {
    let done = syncing.map(thread::JoinHandle::join);
    done.unwrap_or(Ok(Ok(()))).map_err(|_| io::Error::other("the disk's thread has ended"))?
}

fn hash(mut chunks: mpsc::Receiver<Bytes>) -> ([u8; 32], u64) {
    let (mut sha, mut bytes) = (Sha256::new(), 0);
    while let Some(chunk) = chunks.blocking_recv() {
        sha.update(&chunk);
        bytes += chunk.len() as u64;
    }
    (sha.finalize().into(), bytes)
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            // Retention deletes it later.
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot delete an upload");
        }
    }
}
