//! A file of which only so much may be read: what a parser holds in memory cannot exceed what it has read.
use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use symphonia::core::io::MediaSource;

/// Bytes that may still be read. Clones share it.
#[derive(Debug, Clone)]
pub struct Allowance(Arc<AtomicU64>);

impl Allowance {
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(bytes.into()))
    }

    pub fn lift(&self) {
        self.set(u64::MAX);
    }

    /// So many from now on.
    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    pub fn is_used_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

pub struct Bounded<F> {
    file: F,
    length: u64,
    left: Allowance,
}

impl<F> Bounded<F> {
    pub fn new(file: F, length: u64, left: Allowance) -> Self {
        Self { file, length, left }
    }
}

impl<F: Read> Read for Bounded<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.left.0.load(Ordering::Relaxed);
        if left == 0 && !into.is_empty() {
            return Err(io::Error::other("its headers are too large"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        let read = self.file.read(&mut into[..most])?;
        if left != u64::MAX {
            self.left.0.store(left - read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }
}

impl<F: Seek> Seek for Bounded<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl<F: Read + Seek + Send + Sync> MediaSource for Bounded<F> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}
