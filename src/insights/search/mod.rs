//! Searches the utterances of all jobs of a caller, newest first.
//!
//! Frequent words are found by scanning the newest utterances, rare ones through the index of
//! words; the newest few thousand utterances show which is better. See
//! docs/decisions/012-search.md.
mod index;
pub mod statements;
mod words;

use chrono::{DateTime, Datelike as _, Days, NaiveTime, Utc};
use sqlx::{Executor as _, FromRow, PgTransaction, QueryBuilder};
use uuid::Uuid;

use crate::{
    callers::CallerId,
    jobs::{JobFilter, JobId},
    reads::ReadConnection,
};

pub use index::{flush_index, keep_index_flushed};
pub use words::{Unsearchable, Words};

/// Utterances scanned before deciding how to continue.
const SAMPLE: i64 = 1_000;
/// Maximum number of utterances scanned at a time.
const LONGEST_STRIDE: i64 = 1_000_000;
/// Finding a match through the index costs as much as scanning this many utterances (measured).
const LOOK_UP: i64 = 12;

/// The statements are too short to benefit from JIT compilation, and leave other processors to
/// other requests. The timeout ends statements whose request was dropped long ago.
pub const BEGIN: &str = "begin isolation level repeatable read, read only; \
    set local jit = off; \
    set local max_parallel_workers_per_gather = 0; \
    set local enable_seqscan = off; \
    set local work_mem = '16MB'; \
    set local statement_timeout = '1min'; \
    set local client_min_messages = warning";

/// Custom plans for the actual values: word frequencies, and the months concerned.
const PLAN_FOR_VALUES: &str = "set local plan_cache_mode = force_custom_plan";
const PLAN_FOR_ALL: &str = "set local plan_cache_mode = auto";

/// Which utterances to search. Empty or `None` conditions do not apply.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct SearchScope {
    /// Id or name of the speaker.
    pub speaker: Option<String>,
    pub emotion: Option<String>,
    /// Only completed jobs among these.
    pub jobs: JobFilter,
    pub job_id: Option<JobId>,
}

/// The key of an utterance. Later jobs are greater, and within a job later utterances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromRow)]
pub struct UtteranceKey {
    pub job_id: JobId,
    pub seq: i32,
}

impl UtteranceKey {
    /// None is before this one.
    pub const MIN: Self = Self { job_id: JobId::MIN, seq: 0 };

    /// The key right after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self { seq: self.seq.saturating_add(1), ..self }
    }

    pub fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(self.job_id.uuid().as_bytes());
        bytes[16..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        let (mut id, mut seq) = ([0; 16], [0; 4]);
        id.copy_from_slice(&bytes[..16]);
        seq.copy_from_slice(&bytes[16..]);
        Self { job_id: Uuid::from_bytes(id).into(), seq: i32::from_be_bytes(seq) }
    }

    /// The start of the month that contains the time four weeks before this job was created. `None`
    /// when the id contains no time.
    fn month_before(self) -> Option<Self> {
        let millis = i64::try_from(self.job_id.uuid().as_u128() >> 80).ok()?;
        let date = (DateTime::from_timestamp_millis(millis)? - Days::new(28)).date_naive();
        let first = date.with_day(1)?.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
        let job_id = Uuid::from_u128(u128::try_from(first).ok()? << 80).into();
        Some(Self { job_id, seq: 0 })
    }
}

/// From one key, inclusive, to another, exclusive.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    pub from: Option<UtteranceKey>,
    pub before: Option<UtteranceKey>,
}

/// A matching utterance. A higher rank is a better match.
#[derive(Debug, Clone, Copy, PartialEq, FromRow)]
pub struct Match {
    #[sqlx(flatten)]
    pub key: UtteranceKey,
    pub rank: f32,
}

/// A match as shown. Times are in seconds from the start of the recording.
#[derive(Debug, FromRow)]
pub struct HitRow {
    /// See [`Match::rank`].
    pub rank: f32,
    #[sqlx(flatten)]
    pub key: UtteranceKey,
    pub external_id: Option<String>,
    /// When the job was created.
    pub created_at: DateTime<Utc>,
    pub start_seconds: f64,
    pub end_seconds: f64,
    pub speaker_id: Option<String>,
    pub speaker: Option<String>,
    pub emotion: Option<String>,
    pub text: String,
    /// A part of the text with matches between U+E000 and U+E001, not escaped.
    pub snippet: String,
}

/// One search of one caller, on one snapshot.
#[derive(Debug)]
pub struct Search<'a> {
    tx: PgTransaction<'a>,
    caller_id: CallerId,
    words: Words,
    scope: &'a SearchScope,
}

impl<'a> Search<'a> {
    /// Begins a search for `q` in web search syntax: words, `"phrases"`, `or`, `-not`.
    pub async fn begin(
        db: &'a mut ReadConnection,
        caller_id: CallerId,
        q: &str,
        scope: &'a SearchScope,
    ) -> sqlx::Result<Result<Self, Unsearchable>> {
        let mut tx = db.begin(BEGIN).await?;
        let words = Words::read(&mut tx, caller_id, q).await?;
        Ok(words.map(|words| Self { tx, caller_id, words, scope }))
    }

    /// Up to `most` matches in the range, newest first.
    pub async fn newest(&mut self, range: Range, most: i64) -> sqlx::Result<Vec<Match>> {
        self.tx.execute(PLAN_FOR_VALUES).await?;
        let found = self.find(range, most).await?;
        self.tx.execute(PLAN_FOR_ALL).await?;
        Ok(found)
    }

    async fn find(&mut self, mut range: Range, most: i64) -> sqlx::Result<Vec<Match>> {
        let (mut found, mut stride) = (Vec::new(), SAMPLE);
        loop {
            let Stride { matches, reached } =
                self.stride(range, stride, most - count(&found)).await?;
            let matching = count(&matches);
            found.extend(matches);
            let left = most - count(&found);
            let Some(reached) = reached.filter(|_| left > 0) else { return Ok(found) };
            range.before = Some(reached);
            let to_read = if matching == 0 { i64::MAX } else { left * stride / matching };
            let to_look_up = matching * self.words.utterances / stride;
            if to_look_up.saturating_mul(LOOK_UP) < to_read {
                self.look_up(range, most, matching > 0, &mut found).await?;
                return Ok(found);
            }
            stride = to_read.saturating_mul(3).div_euclid(2).clamp(SAMPLE, LONGEST_STRIDE);
        }
    }

    /// Finds the remaining matches through the index; if `are_near`, first in the last month or
    /// two.
    async fn look_up(
        &mut self,
        range: Range,
        most: i64,
        are_near: bool,
        found: &mut Vec<Match>,
    ) -> sqlx::Result<()> {
        let mut rest = range;
        let near = range.before.filter(|_| are_near).and_then(UtteranceKey::month_before);
        if let Some(near) = near.filter(|near| range.from.is_none_or(|from| from < *near)) {
            let from = Some(near);
            found.extend(self.indexed(Range { from, ..range }, most - count(found)).await?);
            rest.before = from;
        }
        if count(found) < most {
            found.extend(self.indexed(rest, most - count(found)).await?);
        }
        Ok(())
    }

    /// Matches among the newest `stride` utterances of the range.
    async fn stride(&mut self, range: Range, stride: i64, most: i64) -> sqlx::Result<Stride> {
        let mut sql = QueryBuilder::default();
        let Self { caller_id, words, scope, .. } = self;
        statements::push_stride(&mut sql, *caller_id, words, scope, range, stride);
        sql.push(" limit ").push_bind(most);
        let rows: Vec<Walked> = sql.build_query_as().fetch_all(&mut *self.tx).await?;
        let reached = rows.last().filter(|row| row.is_last).map(|row| row.key);
        let as_match = |row: Walked| row.rank.map(|rank| Match { key: row.key, rank });
        Ok(Stride { matches: rows.into_iter().filter_map(as_match).collect(), reached })
    }

    /// The newest matches of the range, through the index of words.
    async fn indexed(&mut self, range: Range, most: i64) -> sqlx::Result<Vec<Match>> {
        let mut sql = QueryBuilder::default();
        let Self { caller_id, words, scope, .. } = self;
        statements::push_indexed(&mut sql, *caller_id, words, scope, range, most);
        sql.build_query_as().fetch_all(&mut *self.tx).await
    }

    /// The details of these matches, in order.
    pub async fn hits(mut self, matches: &[Match]) -> sqlx::Result<Vec<HitRow>> {
        let mut sql = QueryBuilder::default();
        statements::push_hits(&mut sql, self.caller_id, &self.words, matches);
        let rows = sql.build_query_as().fetch_all(&mut *self.tx).await?;
        self.tx.commit().await?;
        Ok(rows)
    }
}

/// The result of scanning a number of utterances.
struct Stride {
    matches: Vec<Match>,
    /// The last utterance scanned, unless there are no more.
    reached: Option<UtteranceKey>,
}

#[derive(FromRow)]
struct Walked {
    #[sqlx(flatten)]
    key: UtteranceKey,
    /// `None`: it does not match.
    rank: Option<f32>,
    /// Whether it is the last one of the stride.
    is_last: bool,
}

fn count(found: &[Match]) -> i64 {
    i64::try_from(found.len()).unwrap_or(i64::MAX)
}
