//! The generic cell rate algorithm: a rate limit per holder that costs one number for each.
use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Maximum number of holders that are remembered.
const MOST: usize = 10_000;

/// How much a holder may use: `limit` units at once, and as many again over each `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub limit: u32,
    pub window: Duration,
}

/// What is left to a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Units it may use now.
    pub remaining: u32,
    /// Time until it may use `limit` units at once again.
    pub full_in: Duration,
    /// Time until it may use what it asked for; nothing was taken. Zero: it was taken.
    pub retry_in: Duration,
}

/// Holders by what they have used. Holders that have everything left are not remembered.
#[derive(Debug)]
pub struct Gcra<K> {
    started: Instant,
    /// Nanoseconds after `started` at which a holder has everything left again.
    full_at: Mutex<HashMap<K, u64>>,
}

impl<K> Default for Gcra<K> {
    fn default() -> Self {
        Self { started: Instant::now(), full_at: Mutex::new(HashMap::new()) }
    }
}

impl<K: Eq + Hash> Gcra<K> {
    /// Takes `cost` units if the holder has them left. What costs more than its limit costs the whole limit.
    pub fn take<Q>(&self, holder: &Q, cost: u32, quota: Quota) -> Left
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        self.take_at(nanos(self.started.elapsed()), holder, cost, quota)
    }

    fn take_at<Q>(&self, now: u64, holder: &Q, cost: u32, quota: Quota) -> Left
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let (window, limit) = (nanos(quota.window), quota.limit.max(1));
        let unit = (window / u64::from(limit)).max(1);
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let known = full_at.get_mut(holder);
        let used = known.as_ref().map_or(0, |at| at.saturating_sub(now));
        let after = used + unit * u64::from(cost.min(limit));
        let all = unit * u64::from(limit);
        let (used, retry_in) = if after > all { (used, after - all) } else { (after, 0) };
        match known {
            Some(at) => *at = now + used,
            None if used > 0 => {
                if full_at.len() >= MOST {
                    forget(&mut full_at, now);
                }
                full_at.insert(holder.to_owned(), now + used);
            }
            None => {}
        }
        Left {
            remaining: u32::try_from(all.saturating_sub(used) / unit).unwrap_or(limit),
            full_in: Duration::from_nanos(used),
            retry_in: Duration::from_nanos(retry_in),
        }
    }
}

/// Makes room: for holders that have everything left, this changes nothing. Only if there are none, the half that has
/// used least gets it back early.
fn forget<K: Eq + Hash>(full_at: &mut HashMap<K, u64>, now: u64) {
    full_at.retain(|_, at| *at > now);
    if full_at.len() < MOST {
        return;
    }
    let mut times: Vec<u64> = full_at.values().copied().collect();
    let (_, median, _) = times.select_nth_unstable(MOST / 2);
    let median = *median;
    full_at.retain(|_, at| *at > median);
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const QUOTA: Quota = Quota { limit: 6, window: Duration::from_mins(1) };

    #[test]
    fn a_holder_may_use_its_limit_at_once_and_then_as_the_window_passes() {
        let gcra = Gcra::<String>::default();
        let take = |now, cost| gcra.take_at(now, "a", cost, QUOTA);
        assert_eq!(
            take(0, 1),
            Left { remaining: 5, full_in: Duration::from_secs(10), retry_in: Duration::ZERO }
        );
        assert_eq!(take(0, 5).remaining, 0);
        let refused = take(0, 1);
        assert_eq!((refused.remaining, refused.retry_in), (0, Duration::from_secs(10)));
        assert_eq!(take(9 * SECOND, 1).retry_in, Duration::from_secs(1));
        assert_eq!(take(10 * SECOND, 1).retry_in, Duration::ZERO, "refused requests cost nothing");
        assert_eq!(take(10 * SECOND, 2).retry_in, Duration::from_secs(20));
        let rested = take(1000 * SECOND, 1);
        assert_eq!((rested.remaining, rested.full_in), (5, Duration::from_secs(10)));
        assert_eq!(gcra.take_at(10 * SECOND, "b", 1, QUOTA).remaining, 5);
    }

    #[test]
    fn what_costs_more_than_the_limit_can_be_had_with_all_of_it() {
        let gcra = Gcra::<String>::default();
        assert_eq!(gcra.take_at(0, "a", 100, QUOTA).remaining, 0);
        assert_eq!(gcra.take_at(0, "b", 1, QUOTA).remaining, 5);
        assert_eq!(gcra.take_at(0, "b", 100, QUOTA).retry_in, Duration::from_secs(10));
    }

    #[test]
    fn no_window_lets_through_more_than_twice_the_limit() {
        let gcra = Gcra::<String>::default();
        let taken = (0..600)
            .filter(|n| gcra.take_at(n * SECOND / 10, "a", 1, QUOTA).retry_in.is_zero())
            .count();
        assert_eq!(taken, 11);
    }

    #[test]
    fn a_changed_limit_holds_from_the_next_request_on() {
        let gcra = Gcra::<String>::default();
        assert_eq!(gcra.take_at(0, "a", 6, QUOTA).remaining, 0);
        let smaller = Quota { limit: 3, ..QUOTA };
        assert_eq!(gcra.take_at(0, "a", 1, smaller).retry_in, Duration::from_secs(20));
    }

    #[test]
    fn any_number_of_holders_takes_bounded_memory_and_the_busiest_stay_limited() {
        let gcra = Gcra::<u32>::default();
        let busy = u32::MAX;
        gcra.take_at(0, &busy, 6, QUOTA);
        for holder in 0..u32::try_from(5 * MOST).unwrap() {
            gcra.take_at(1, &holder, 1, QUOTA);
            assert!(gcra.full_at.lock().unwrap().len() <= MOST);
        }
        assert!(!gcra.take_at(1, &busy, 1, QUOTA).retry_in.is_zero());
        gcra.take_at(3600 * SECOND, &0, 1, QUOTA);
        for holder in 0..u32::try_from(MOST).unwrap() {
            gcra.take_at(3600 * SECOND, &holder, 1, QUOTA);
        }
        assert!(gcra.full_at.lock().unwrap().len() <= MOST);
    }
}
