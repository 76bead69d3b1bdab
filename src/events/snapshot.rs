//! Points in the commit order, as Postgres reports them.
use std::{fmt, str::FromStr, sync::Arc};

use serde::Deserialize;

/// Which transactions had committed at a point in time: `xmin:xmax:xip,…` (`pg_snapshot`, `PostgreSQL` manual, section
/// 9.27).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Snapshot(Arc<str>);

impl Snapshot {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first transaction id that had not been assigned.
    pub fn xmax(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// Earlier transactions that had not ended.
    pub fn in_progress(&self) -> Vec<&str> {
        let listed = self.0.split(':').nth(2).unwrap_or_default();
        listed.split(',').filter(|xid| !xid.is_empty()).collect()
    }
}

impl From<String> for Snapshot {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The position of a stream: it has received everything that `since` shows and, of what only `until` shows, the events
/// up to `position`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub since: Snapshot,
    pub until: Snapshot,
    pub position: i64,
}

impl Point {
    /// Everything that `snapshot` shows.
    pub fn at(snapshot: Snapshot) -> Self {
        Self { since: snapshot.clone(), until: snapshot, position: 0 }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{};{}", self.since.0, self.until.0, self.position)
    }
}

/// Parses the output of [`Point`]'s `Display`.
impl FromStr for Point {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ';');
        let mut next = || parts.next().unwrap_or_default();
        let (since, until, position) = (next(), next(), next().parse()?);
        Ok(Self { since: Snapshot(since.into()), until: Snapshot(until.into()), position })
    }
}
