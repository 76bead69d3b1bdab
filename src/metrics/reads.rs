//! Reads where there is a read replica of the database, and how far it is behind; and results that are read from memory.
use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use super::{Metrics, NONE, NoLabels, book::Book};

/// Why a read does not run on the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaFault {
    /// It cannot be connected to, or does not answer.
    Unreachable,
    /// All connections of this process to it are in use.
    Busy,
    /// It has not caught up in time.
    Behind,
    /// It belongs to another database, or has left the history of this one.
    NotAReplica,
    /// The primary does not say how far it is.
    NoPosition,
    /// It failed or canceled the read.
    Interrupted,
}

impl ReplicaFault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Behind => "behind",
            Self::NotAReplica => "not_a_replica",
            Self::NoPosition => "no_position",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Whether a result was in memory, and known to be current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallOutcome {
    Hit,
    Miss,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecallLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    target: &'static str,
    reason: &'static str,
}

/// Nothing is shown where there is no read replica, or where no results are remembered.
#[derive(Default)]
pub struct ReadFamilies {
    reads: Family<ReadLabels, Counter>,
    usable: Family<NoLabels, Gauge>,
    lag_bytes: Family<NoLabels, Gauge>,
    lag_seconds: Family<NoLabels, Gauge<f64, AtomicU64>>,
    recalls: Family<RecallLabels, Counter>,
    remembered_bytes: Family<NoLabels, Gauge>,
}

impl ReadFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self::default();
        book.add(
            "aftercall_db_reads_total",
            &["target", "reason"],
            "Reads that the read replica may answer, by where they ran: replica or primary; and why on the primary: \
             unreachable, busy, behind, not_a_replica, no_position, interrupted (which counts for both)",
            this.reads.clone(),
        );
        book.add(
            "aftercall_db_replica_usable",
            &[],
            "1 if reads go to the read replica, 0 if they go to the primary",
            this.usable.clone(),
        );
        book.add(
            "aftercall_db_replica_lag_bytes",
            &[],
            "WAL that the read replica had not replayed within database.read_max_lag when last looked at, otherwise 0",
            this.lag_bytes.clone(),
        );
        book.add(
            "aftercall_db_replica_lag_seconds",
            &[],
            "Age of the last transaction that the read replica has if it has not caught up, otherwise 0",
            this.lag_seconds.clone(),
        );
        book.add(
            "aftercall_results_recalled_total",
            &["outcome"],
            "Requests for a whole result, by whether it was in memory and known to be current: hit, or miss, which asks \
             the database",
            this.recalls.clone(),
        );
        book.add(
            "aftercall_results_remembered_bytes",
            &[],
            "Memory taken by results that are served without asking the database, at most api.result_memory",
            this.remembered_bytes.clone(),
        );
        this
    }

    fn count(&self, target: &'static str, reason: &'static str) {
        self.reads.get_or_create_owned(&ReadLabels { target, reason }).inc();
    }
}

impl Metrics {
    /// A read runs on the replica.
    pub fn read_on_replica(&self) {
        let Some(inner) = &self.0 else { return };
        inner.reads.count("replica", NONE);
    }

    /// A read runs on the primary, although there is a replica.
    pub fn read_on_primary(&self, why: ReplicaFault) {
        let Some(inner) = &self.0 else { return };
        inner.reads.count("primary", why.name());
    }

    pub fn replica_usable(&self, is_usable: bool) {
        let Some(inner) = &self.0 else { return };
        inner.reads.usable.get_or_create_owned(&NoLabels::default()).set(is_usable.into());
    }

    pub fn recalled(&self, outcome: RecallOutcome) {
        let Some(inner) = &self.0 else { return };
        let outcome = match outcome {
            RecallOutcome::Hit => "hit",
            RecallOutcome::Miss => "miss",
        };
        inner.reads.recalls.get_or_create_owned(&RecallLabels { outcome }).inc();
    }

    /// Results in memory take so many bytes now.
    pub fn remembers(&self, bytes: usize) {
        let Some(inner) = &self.0 else { return };
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        inner.reads.remembered_bytes.get_or_create_owned(&NoLabels::default()).set(bytes);
    }

    /// `seconds`: `None` if the replica cannot tell.
    pub fn replica_lag(&self, bytes: i64, seconds: Option<f64>) {
        let Some(inner) = &self.0 else { return };
        inner.reads.lag_bytes.get_or_create_owned(&NoLabels::default()).set(bytes);
        if let Some(seconds) = seconds {
            inner.reads.lag_seconds.get_or_create_owned(&NoLabels::default()).set(seconds);
        }
    }
}
