//! A stored recording as a file, for readers that block.
use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::{Media, Store, StoreError};

/// Holds one chunk of it in memory. Reads block: not for threads of the runtime.
#[derive(Debug)]
pub(super) struct StoredFile {
    store: Store,
    caller_id: Uuid,
    id: Uuid,
    length: u64,
    position: u64,
    chunk: Bytes,
    chunk_at: u64,
    runtime: Handle,
    /// Why the store could not be read: readers take that for the end of the file.
    failure: Arc<OnceLock<StoreError>>,
}

impl StoredFile {
    /// Reads with the current runtime.
    pub fn new(store: Store, media: &Media, failure: Arc<OnceLock<StoreError>>) -> Self {
        Self {
            store,
            caller_id: media.caller_id,
            id: media.id,
            length: media.length(),
            position: 0,
            chunk: Bytes::new(),
            chunk_at: 0,
            runtime: Handle::current(),
            failure,
        }
    }

    /// What the chunk has from the position on.
    fn ahead(&self) -> &[u8] {
        let within = self.position.checked_sub(self.chunk_at);
        let within = within.and_then(|within| usize::try_from(within).ok());
        within.and_then(|within| self.chunk.get(within..)).unwrap_or_default()
    }

    fn fetch(&mut self) -> io::Result<()> {
        let chunk = self.store.chunk(self.caller_id, self.id, self.position..self.length);
        match self.runtime.block_on(chunk) {
            Ok(chunk) => {
                self.chunk = chunk;
                self.chunk_at = self.position;
                Ok(())
            }
            Err(error) => {
                let told = io::Error::other(error.to_string());
                // The first one counts.
                let _ = self.failure.set(error);
                Err(told)
            }
        }
    }
}

impl Read for StoredFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length || into.is_empty() {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            self.fetch()?;
        }
        let ahead = self.ahead();
        let read = ahead.len().min(into.len());
        into[..read].copy_from_slice(&ahead[..read]);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for StoredFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
