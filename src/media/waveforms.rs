//! Computes the peaks of recordings when they are first asked for, once for all requests and all processes.
//!
//! The process that claims the row of a recording decodes it; whoever else asks looks until the row is complete. A claim is
//! extended while the work goes on. Neither depends on the request that began it.
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use sqlx::PgPool;
use tokio::{
    pin, select,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    Media, Store, StoreError, StoredPeaks, claim_peaks, find_peaks,
    peaks::{extend_claim, keep_peaks, release_peaks},
    source::StoredFile,
};
use crate::audio::{self, NoPeaks};

/// How long a recording stays claimed by a process that has died.
const LEASE: Duration = Duration::from_secs(30);
/// How often to look for what another process computes.
const LOOK: Duration = Duration::from_millis(250);
/// After this, a recording counts as one that cannot be decoded.
const LONGEST: Duration = Duration::from_mins(15);

/// Clones share their turns.
#[derive(Debug, Clone)]
pub struct Waveforms(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: PgPool,
    turns: Arc<Semaphore>,
    /// Told when a computation of this process has ended.
    ended: Notify,
    stop: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
pub enum WaveformError {
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Computing panicked, or the process is shutting down.
    #[error("interrupted")]
    Interrupted,
}

impl From<JoinError> for WaveformError {
    fn from(_: JoinError) -> Self {
        Self::Interrupted
    }
}

impl Waveforms {
    /// `at_once`: recordings decoded at the same time. Decoding stops with `stop`.
    pub fn new(db: PgPool, at_once: usize, stop: CancellationToken) -> Self {
        let turns = Arc::new(Semaphore::new(at_once));
        Self(Arc::new(Inner { db, turns, ended: Notify::new(), stop }))
    }

    /// The peaks of a recording, once they are known; `None` if it is removed meanwhile.
    ///
    /// # Errors
    /// What is not the recording's fault: it can be asked again.
    pub async fn of(
        &self,
        store: &Store,
        media: &Media,
    ) -> Result<Option<StoredPeaks>, WaveformError> {
        let Inner { db, turns, ended, stop } = &*self.0;
        let turn = turns.clone().acquire_owned();
        pin!(turn);
        loop {
            // Before looking, so that an end in between is not missed.
            let ended = ended.notified();
            if let Some(found) = find_peaks(db, media.id).await? {
                return Ok(Some(found));
            }
            if super::find(db, media.id).await?.is_none() {
                return Ok(None);
            }
            let mine = select! {
                mine = &mut turn => mine.ok(),
                () = ended => None,
                () = sleep(LOOK) => None,
                () = stop.cancelled() => return Err(WaveformError::Interrupted),
            };
            let Some(mine) = mine else { continue };
            // A task of its own, so that no claim is left without its work when this request ends.
            let work = self.clone().compute_if_unclaimed(store.clone(), media.clone(), mine);
            if !tokio::spawn(work).await?? {
                sleep(LOOK).await;
            }
            turn.set(turns.clone().acquire_owned());
        }
    }

    /// Whether it was computed here, rather than claimed by another process.
    async fn compute_if_unclaimed(
        self,
        store: Store,
        media: Media,
        turn: OwnedSemaphorePermit,
    ) -> Result<bool, WaveformError> {
        let db = &self.0.db;
        if !claim_peaks(db, media.id, LEASE).await? {
            return Ok(false);
        }
        let found = self.decoded(store, &media).await;
        let kept = match &found {
            Ok(found) => keep_peaks(db, media.id, found).await,
            Err(_) => release_peaks(db, media.id).await,
        };
        drop(turn);
        self.0.ended.notify_waiters();
        kept?;
        found.map(|_| true)
    }

    /// Decodes the recording on a thread that may block, and keeps the claim on it.
    async fn decoded(&self, store: Store, media: &Media) -> Result<StoredPeaks, WaveformError> {
        let failure = Arc::new(OnceLock::new());
        let (length, stop) = (media.length(), self.0.stop.clone());
        let file = StoredFile::new(store, media, failure.clone());
        let since = Instant::now();
        let work = spawn_blocking(move || {
            let is_over = || stop.is_cancelled() || since.elapsed() > LONGEST;
            audio::peaks(file, length, is_over)
        });
        pin!(work);
        let found = loop {
            select! {
                found = &mut work => break found?,
                () = sleep(LEASE / 3) => {
                    // Otherwise another process may do the same work, and nothing worse.
                    let _ = extend_claim(&self.0.db, media.id, LEASE).await;
                }
            }
        };
        if let Some(error) = Arc::into_inner(failure).and_then(OnceLock::into_inner) {
            return Err(WaveformError::Store(error));
        }
        match found {
            Ok(peaks) => Ok(StoredPeaks::Known(peaks)),
            Err(NoPeaks::Interrupted) if self.0.stop.is_cancelled() => {
                Err(WaveformError::Interrupted)
            }
            Err(NoPeaks::Interrupted) => Ok(StoredPeaks::None("decoding it takes too long".into())),
            Err(error) => Ok(StoredPeaks::None(error.to_string())),
        }
    }
}
