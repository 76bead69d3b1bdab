//! The store of the recordings' bytes: a folder, or a bucket of an S3-compatible service.
use std::{
    borrow::Borrow,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::{Stream, stream};
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    local::LocalFileSystem,
    multipart::{MultipartStore as _, PartId},
    path::Path as ObjectPath,
};
use secrecy::ExposeSecret as _;
use url::Url;
use uuid::Uuid;

use super::{Spool, Spooled};
use crate::config::StoreEnvironment;

/// Bytes that are read from a bucket at once: each is a request.
const CHUNK: u64 = 1 << 20;
/// Bytes that are read from a file at once. A download is read by one thread of the runtime and sent by another; of larger
/// buffers, the allocator keeps many for each.
const FILE_CHUNK: u64 = 64 << 10;
/// Bytes of one part of an upload to S3, unless there would be too many; smaller objects are not divided.
const PART: u64 = 8 << 20;
/// S3 allows 10,000.
const MOST_PARTS: u64 = 9_000;
const INCOMING: &str = "incoming";

/// Clones share their connections.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Backend,
    spool: PathBuf,
    timeout: Duration,
}

#[derive(Debug)]
enum Backend {
    Folder { root: PathBuf, objects: LocalFileSystem },
    Bucket { prefix: ObjectPath, objects: AmazonS3 },
}

/// The store does not work as it should; what was to be stored is not.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store took too long")]
    TimedOut,
    #[error("the object is missing")]
    Missing,
    #[error("a file of the store failed")]
    File(#[from] io::Error),
    #[error("the store failed: {0}")]
    Bucket(String),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            // What a server says may quote the request and its signature; only how it begins is kept.
            error => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                let plain = first.split(['<', '?']).next().unwrap_or_default();
                Self::Bucket(plain.chars().take(200).collect())
            }
        }
    }
}

/// Where the bytes of a recording are.
#[derive(Debug, Clone)]
pub struct ObjectName(String);

impl ObjectName {
    pub fn of(caller_id: impl std::fmt::Display, id: Uuid) -> Self {
        Self(format!("{caller_id}/{id}"))
    }
}

impl Store {
    /// Touches neither the folder nor the bucket: a store that is not there yet may come.
    ///
    /// # Errors
    /// When the URL or the environment cannot be used.
    pub fn open(
        url: &Url,
        spool: &str,
        timeout: Duration,
        environment: &StoreEnvironment,
    ) -> anyhow::Result<Self> {
        let configured = (!spool.is_empty()).then(|| PathBuf::from(spool));
        let (backend, usual) = if url.scheme() == "s3" {
            let bucket = bucket(url, timeout, environment).context("media.store")?;
            (bucket, std::env::temp_dir().join("aftercall-incoming"))
        } else {
            let root = url.to_file_path().ok().context("media.store is not a folder")?;
            let incoming = root.join(INCOMING);
            (Backend::Folder { root, objects: LocalFileSystem::new() }, incoming)
        };
        let spool = configured.unwrap_or(usual);
        Ok(Self(Arc::new(Inner { backend, spool, timeout })))
    }

    /// Begins to receive an upload.
    pub fn spool(&self) -> Spool {
        // What goes to a bucket is a copy until it is there.
        let is_kept = matches!(self.0.backend, Backend::Folder { .. });
        Spool::create(self.0.spool.clone(), is_kept)
    }

    /// Begins a multipart upload, if the object is large and the store is a bucket; returns its id.
    pub(super) async fn begin(
        &self,
        name: &ObjectName,
        bytes: u64,
    ) -> Result<Option<String>, StoreError> {
        match &self.0.backend {
            Backend::Bucket { objects, .. } if bytes > PART => {
                let path = self.path(name)?;
                self.in_time(objects.create_multipart(&path)).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Stores the whole file; until this returns, the object does not exist.
    pub(super) async fn put(
        &self,
        name: &ObjectName,
        file: Spooled,
        upload_id: Option<String>,
    ) -> Result<(), StoreError> {
        let path = self.path(name)?;
        match &self.0.backend {
            Backend::Folder { root, .. } => {
                let path = root.join(&name.0);
                blocking(move || file.place(&path)).await
            }
            Backend::Bucket { objects, .. } => {
                let bytes = file.bytes;
                let file = Arc::new(file.open()?);
                match upload_id {
                    None => {
                        let whole = read(|| Ok(file), 0..bytes).await?;
                        self.in_time(objects.put(&path, whole.into())).await.map(drop)
                    }
                    Some(id) => self.put_parts(objects, &path, &id, &file, bytes).await,
                }
            }
        }
    }

    async fn put_parts(
        &self,
        objects: &AmazonS3,
        path: &ObjectPath,
        id: &String,
        file: &Arc<File>,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let size = PART.max(bytes.div_ceil(MOST_PARTS));
        let mut parts: Vec<PartId> = Vec::new();
        let mut from = 0;
        while from < bytes {
            let to = bytes.min(from + size);
            let file = file.clone();
            let part = read(|| Ok(file), from..to).await?;
            parts.push(self.in_time(objects.put_part(path, id, parts.len(), part.into())).await?);
            from = to;
        }
        self.in_time(objects.complete_multipart(path, id, parts)).await.map(drop)
    }

    /// Deletes the object and aborts its upload; neither needs to exist.
    pub(super) async fn delete(
        &self,
        name: &ObjectName,
        upload_id: Option<&str>,
    ) -> Result<(), StoreError> {
        let path = self.path(name)?;
        if let (Backend::Bucket { objects, .. }, Some(id)) = (&self.0.backend, upload_id) {
            absent(self.in_time(objects.abort_multipart(&path, &id.to_owned())).await)?;
        }
        absent(self.in_time(self.objects().delete(&path)).await)
    }

    /// The bytes in `range`, a chunk at a time; nothing is held while nobody reads.
    pub fn read(
        &self,
        caller_id: Uuid,
        id: Uuid,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + use<> {
        let (store, name) = (self.clone(), ObjectName::of(caller_id, id));
        stream::try_unfold(range, move |range| {
            let (store, name) = (store.clone(), name.clone());
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let bytes = store.first_chunk(&name, &range).await?;
                let rest = range.start + bytes.len() as u64..range.end;
                Ok(Some((bytes, rest)))
            }
        })
    }

    /// The first chunk of the bytes in `range`, which must not be empty.
    pub async fn chunk(
        &self,
        caller_id: Uuid,
        id: Uuid,
        range: Range<u64>,
    ) -> Result<Bytes, StoreError> {
        self.first_chunk(&ObjectName::of(caller_id, id), &range).await
    }

    async fn first_chunk(
        &self,
        name: &ObjectName,
        range: &Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let first = |bytes| range.start..range.end.min(range.start + bytes);
        match &self.0.backend {
            Backend::Folder { root, .. } => {
                let (path, chunk) = (root.join(&name.0), first(FILE_CHUNK));
                let read = tokio::time::timeout(self.0.timeout, read(|| File::open(path), chunk));
                read.await.unwrap_or(Err(StoreError::TimedOut)).map_err(missing)
            }
            Backend::Bucket { objects, .. } => {
                let (path, chunk) = (self.path(name)?, first(CHUNK));
                let bytes = self.in_time(objects.get_range(&path, chunk.clone())).await?;
                let is_whole = bytes.len() as u64 == chunk.end - chunk.start;
                if is_whole { Ok(bytes) } else { Err(StoreError::Missing) }
            }
        }
    }

    /// Whether an object can be stored, read and deleted.
    ///
    /// # Errors
    /// The first that fails.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let path = self.path(&ObjectName::of("probe", Uuid::now_v7()))?;
        let content = Bytes::from_static(b"aftercall doctor");
        if let Backend::Folder { root, .. } = &self.0.backend {
            let root = root.clone();
            blocking(move || std::fs::create_dir_all(root)).await?;
        }
        self.in_time(self.objects().put(&path, content.clone().into())).await?;
        let read = self.in_time(self.objects().get_range(&path, 0..content.len() as u64)).await;
        self.in_time(self.objects().delete(&path)).await?;
        if read? == content { Ok(()) } else { Err(StoreError::Missing) }
    }

    /// Deletes files of the spool that nothing has been written to for this long: those of processes that were killed.
    pub async fn sweep_spool(&self, unchanged_for: Duration) -> Result<u64, StoreError> {
        let folder = self.0.spool.clone();
        blocking(move || {
            let mut swept = 0;
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                // By the clock of the machine that has the files, as Postgres knows nothing of them.
                let changed = entry.metadata().and_then(|file| file.modified());
                let age = changed.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
                let is_ours =
                    entry.file_name().to_str().is_some_and(|name| Uuid::try_parse(name).is_ok());
                if is_ours && age.is_some_and(|age| age > unchanged_for) {
                    std::fs::remove_file(entry.path())?;
                    swept += 1;
                }
            }
            Ok(swept)
        })
        .await
    }

    /// For people: contains no credentials.
    pub fn describe(&self) -> String {
        match &self.0.backend {
            Backend::Folder { root, .. } => format!("the folder {}", root.display()),
            Backend::Bucket { objects, prefix } => format!("{objects} at /{prefix}"),
        }
    }

    fn objects(&self) -> &dyn ObjectStore {
        match &self.0.backend {
            Backend::Folder { objects, .. } => objects,
            Backend::Bucket { objects, .. } => objects,
        }
    }

    fn path(&self, name: &ObjectName) -> Result<ObjectPath, StoreError> {
        let path = match &self.0.backend {
            Backend::Folder { root, .. } => ObjectPath::from_absolute_path(root.join(&name.0)),
            Backend::Bucket { prefix, .. } => ObjectPath::parse(format!("{prefix}/{}", name.0)),
        };
        path.map_err(|error| object_store::Error::from(error).into())
    }

    async fn in_time<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreError> {
        let done = tokio::time::timeout(self.0.timeout, request).await;
        done.map_err(|_| StoreError::TimedOut)?.map_err(StoreError::from)
    }
}

/// Something that is to be gone may be gone already.
fn absent(deleted: Result<(), StoreError>) -> Result<(), StoreError> {
    match deleted {
        Err(StoreError::Missing) => Ok(()),
        other => other,
    }
}

fn bucket(url: &Url, timeout: Duration, environment: &StoreEnvironment) -> anyhow::Result<Backend> {
    let retry = RetryConfig { max_retries: 3, retry_timeout: timeout, ..RetryConfig::default() };
    let options = ClientOptions::new().with_timeout(timeout);
    let mut builder = AmazonS3Builder::new().with_retry(retry).with_client_options(options);
    for (name, value) in &environment.aws {
        // Variables of other programs are none of its settings.
        if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value.expose_secret());
        }
    }
    let bucket = url.host_str().context("no bucket")?;
    let objects = builder.with_bucket_name(bucket).build()?;
    Ok(Backend::Bucket { prefix: ObjectPath::from_url_path(url.path())?, objects })
}

/// A file that is not there, or not whole, is a missing object.
fn missing(error: StoreError) -> StoreError {
    use io::ErrorKind::{NotFound, UnexpectedEof};
    match error {
        StoreError::File(error) if matches!(error.kind(), NotFound | UnexpectedEof) => {
            StoreError::Missing
        }
        other => other,
    }
}

/// Reads a part of a file, all of which it must have.
///
/// The buffer is made here, and not on the thread that blocks, which is mostly another one each time: the allocator keeps
/// memory for each thread that ever made one.
async fn read<F: Borrow<File>>(
    open: impl FnOnce() -> io::Result<F> + Send + 'static,
    range: Range<u64>,
) -> Result<Bytes, StoreError> {
    let mut part = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
    blocking(move || {
        open()?.borrow().read_exact_at(&mut part, range.start)?;
        Ok(part.into())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(io::Error::other)??)
}

/// The folder of a store that is not configured, in the data directory.
pub fn usual_folder(data_root: &Path) -> Option<Url> {
    Url::from_file_path(data_root.join("media")).ok()
}
