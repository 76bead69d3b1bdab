//! The pool of database connections.
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::{MetricType, histogram::Histogram},
};
use sqlx::PgPool;

use super::{
    Metrics,
    book::{Book, Described, gauge, sentence},
};

const SECONDS: [f64; 12] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const CONNECTIONS: Described = gauge(
    "aftercall_db_pool_connections",
    &["state"],
    "Connections of this replica to the database: idle, used",
);
const MAX: Described = gauge(
    "aftercall_db_pool_connections_max",
    &[],
    "Maximum number of connections of this replica to the database",
);

pub struct PoolGauges {
    pool: Pool,
    acquire: Histogram,
}

/// The pool, once there is one; its numbers are read at each scrape.
#[derive(Clone, Default)]
struct Pool(Arc<OnceLock<PgPool>>);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl PoolGauges {
    pub fn new(book: &mut Book) -> Self {
        let this = Self { pool: Pool::default(), acquire: Histogram::new(SECONDS) };
        book.collect(vec![CONNECTIONS, MAX], this.pool.clone());
        book.add(
            "aftercall_db_pool_acquire_seconds",
            &[],
            "How long a connection from the pool is waited for, probed every second",
            this.acquire.clone(),
        );
        this
    }
}

impl Collector for Pool {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.0.get().map(|pool| {
            let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
            let used = i64::from(pool.size()).saturating_sub(idle).max(0);
            (idle, used, i64::from(pool.options().get_max_connections()))
        });
        let mut metric = encoder.encode_descriptor(
            CONNECTIONS.name,
            &sentence(CONNECTIONS.help),
            None,
            MetricType::Gauge,
        )?;
        if let Some((idle, used, _)) = counts {
            metric.encode_family(&[("state", "idle")])?.encode_gauge(&idle)?;
            metric.encode_family(&[("state", "used")])?.encode_gauge(&used)?;
        }
        let mut metric =
            encoder.encode_descriptor(MAX.name, &sentence(MAX.help), None, MetricType::Gauge)?;
        if let Some((.., max)) = counts {
            metric.encode_gauge(&max)?;
        }
        Ok(())
    }
}

impl Metrics {
    /// The pool of this process.
    pub fn watch_pool(&self, pool: &PgPool) {
        let Some(inner) = &self.0 else { return };
        inner.pool.pool.0.get_or_init(|| pool.clone());
    }

    /// A connection was waited for.
    pub fn acquired(&self, took: Duration) {
        let Some(inner) = &self.0 else { return };
        inner.pool.acquire.observe(took.as_secs_f64());
    }
}
