//! Memory budgets for deliveries: memory is reserved before it is used, whatever the content.
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Unit in which memory is counted.
const PAGE: usize = 4096;
/// Bodies up to this size are small.
pub const SMALL_BYTES: usize = 64 * 1024;
/// One part in this many of the memory for bodies is reserved for the first bytes of each body, so that small bodies
/// find room however many large ones there are.
const SMALL_SHARE: usize = 8;
/// Text that may be parsed but not yet stored; its parsed form takes a multiple in memory. Other bodies wait unparsed;
/// a larger one uses the whole budget alone.
const PARSED_BYTES: usize = 2 * 1024 * 1024;
/// The same for small bodies, which never wait for large ones.
const PARSED_SMALL_BYTES: usize = 1024 * 1024;
/// The same for small bodies whose token has not been verified, as in most deliveries.
const PARSED_UNPROVEN_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of text per JSON value in an ordinary delivery. Text with more values takes as much memory as an ordinary text
/// with that many.
const BYTES_A_VALUE: usize = 12;

/// Memory for deliveries in progress: one budget for verified tokens, and one for all others.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    small: MemoryPool,
    large: MemoryPool,
    /// Running more parsers than processors would only hold more memory.
    parsers: Arc<Semaphore>,
    /// Whether to wait for memory.
    is_patient: bool,
}

#[derive(Debug, Clone)]
struct MemoryPool {
    bodies: Arc<Semaphore>,
    parsed: Arc<Semaphore>,
    /// Number of permits in `parsed`.
    parsed_pages: usize,
}

/// Reserved memory, released on drop.
#[derive(Debug, Default)]
pub struct TakenMemory {
    small: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

/// All memory for bodies is in use.
#[derive(Debug, PartialEq, Eq)]
pub struct OverBudget;

impl MemoryBudget {
    /// `bytes`: for bodies, as sent and inflated.
    pub fn new(bytes: usize) -> Self {
        let small = bytes / SMALL_SHARE;
        Self {
            small: MemoryPool::new(small, PARSED_SMALL_BYTES),
            large: MemoryPool::new(bytes - small, PARSED_BYTES),
            parsers: parsers(),
            is_patient: true,
        }
    }

    /// For small bodies only, and without waiting: a verified token gives access to the other budget.
    pub fn for_unproven(bytes: usize) -> Self {
        Self {
            small: MemoryPool::new(bytes, PARSED_UNPROVEN_BYTES),
            large: MemoryPool::new(0, 0),
            parsers: parsers(),
            is_patient: false,
        }
    }

    /// Makes sure that `taken` covers `bytes`.
    pub fn grow(&self, taken: &mut TakenMemory, bytes: usize) -> Result<(), OverBudget> {
        let small = bytes.min(SMALL_BYTES);
        self.small.grow(&mut taken.small, small)?;
        self.large.grow(&mut taken.large, bytes - small)
    }

    /// Reserves memory for the parsed form of a text, waiting for it if necessary.
    ///
    /// # Errors
    /// When there is none and this budget does not wait.
    pub async fn parsed(
        &self,
        bytes: usize,
        values: usize,
    ) -> Result<OwnedSemaphorePermit, OverBudget> {
        let pool = if bytes <= SMALL_BYTES { &self.small } else { &self.large };
        let weight = bytes.max(values.saturating_mul(BYTES_A_VALUE));
        let pages = weight.div_ceil(PAGE).min(pool.parsed_pages);
        let (pages, room) = (u32::try_from(pages).map_err(|_| OverBudget)?, pool.parsed.clone());
        if self.is_patient {
            // Never closed.
            room.acquire_many_owned(pages).await.map_err(|_| OverBudget)
        } else {
            room.try_acquire_many_owned(pages).map_err(|_| OverBudget)
        }
    }

    /// Runs `work` on a thread that may block, at most as many concurrently as there are processors. `None`: it
    /// panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _turn = self.parsers.acquire().await;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

fn parsers() -> Arc<Semaphore> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new(processors))
}

impl MemoryPool {
    fn new(bodies: usize, parsed: usize) -> Self {
        let semaphore =
            |bytes: usize| Arc::new(Semaphore::new((bytes / PAGE).min(Semaphore::MAX_PERMITS)));
        let parsed_pages = parsed / PAGE;
        Self { bodies: semaphore(bodies), parsed: semaphore(parsed), parsed_pages }
    }

    fn grow(
        &self,
        taken: &mut Option<OwnedSemaphorePermit>,
        bytes: usize,
    ) -> Result<(), OverBudget> {
        let pages = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(PAGE).saturating_sub(pages);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| OverBudget)?;
        let more = self.bodies.clone().try_acquire_many_owned(missing).map_err(|_| OverBudget)?;
        match taken {
            Some(taken) => taken.merge(more),
            None => *taken = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_in_pages_and_given_back() {
        let memory = MemoryBudget::new(SMALL_SHARE * 2 * PAGE);
        let (mut first, mut second) = (TakenMemory::default(), TakenMemory::default());
        for bytes in [1, PAGE] {
            memory.grow(&mut first, bytes).unwrap();
        }
        memory.grow(&mut second, PAGE).unwrap();
        assert_eq!(memory.grow(&mut second, PAGE + 1), Err(OverBudget));
        drop(first);
        memory.grow(&mut second, 2 * PAGE).unwrap();
    }

    #[tokio::test]
    async fn what_is_unproven_waits_for_nothing() {
        let memory = MemoryBudget::for_unproven(SMALL_BYTES);
        let (mut small, mut large) = (TakenMemory::default(), TakenMemory::default());
        memory.grow(&mut small, SMALL_BYTES).unwrap();
        assert_eq!(memory.grow(&mut large, 1), Err(OverBudget));
        drop(small);
        assert_eq!(memory.grow(&mut large, SMALL_BYTES + 1), Err(OverBudget));
        let parsed = memory.parsed(SMALL_BYTES, PARSED_UNPROVEN_BYTES).await.unwrap();
        assert!(memory.parsed(1, 1).await.is_err());
        drop(parsed);
        assert!(memory.parsed(1, 1).await.is_ok());
    }

    #[test]
    fn large_bodies_leave_room_for_small_ones() {
        let memory = MemoryBudget::new(SMALL_SHARE * SMALL_BYTES * 2);
        let (mut large, mut small) = (TakenMemory::default(), TakenMemory::default());
        memory.grow(&mut large, SMALL_BYTES * 15).unwrap();
        assert_eq!(memory.grow(&mut large, SMALL_BYTES * 15 + 1), Err(OverBudget));
        memory.grow(&mut small, SMALL_BYTES).unwrap();
    }
}
