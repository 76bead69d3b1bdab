//! Metrics of this process, in the OpenMetrics text format: counters and histograms recorded where things happen, and
//! the sampled state of the whole service.
//!
//! Everything that records has a [`Metrics`], a handle that is cheap to clone; there is no global registry. What a
//! transaction did is collected in a [`Tally`] and counted once it has committed. A scrape only formats what is in
//! memory: it runs no SQL.
//!
//! Labels never contain ids, tokens, URLs, tags or paths; their values come from closed sets, except callers' names,
//! of which `labels` lets a hundred through. `docs/metrics.md` is generated from [`Metrics::reference`].
mod background;
mod book;
mod exemplar;
mod http;
mod jobs;
mod labels;
mod media;
mod notify;
mod pool;
mod process;
mod provider;
mod reads;
mod sampled;
mod tally;
mod webhook;

use std::{fmt, sync::Arc};

use prometheus_client::{encoding::text, registry::Registry};

use self::{
    background::BackgroundFamilies, book::Book, http::HttpFamilies, jobs::JobFamilies,
    labels::CallerNames, media::MediaFamilies, notify::NotifyFamilies, pool::PoolGauges,
    provider::ProviderFamilies, reads::ReadFamilies, sampled::Sampled, webhook::WebhookFamilies,
};

pub use self::{
    background::Task,
    book::Described,
    http::ListenerMetrics,
    jobs::Spent,
    provider::Operation,
    reads::{RecallOutcome, ReplicaFault},
    sampled::{SAMPLED, SampledValue},
    tally::{FinishedJob, Tally},
};

/// The value of `Content-Type` for [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A label that does not apply.
const NONE: &str = "none";

/// The labels of a family that has at most one series: absent until its first value.
type NoLabels = [(&'static str, &'static str); 0];

/// Records metrics; clones record the same ones. The default records nothing.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Inner>>);

struct Inner {
    registry: Registry,
    reference: Vec<Described>,
    callers: CallerNames,
    http: HttpFamilies,
    jobs: JobFamilies,
    webhook: WebhookFamilies,
    media: MediaFamilies,
    provider: ProviderFamilies,
    notify: NotifyFamilies,
    background: BackgroundFamilies,
    pool: PoolGauges,
    reads: ReadFamilies,
    sampled: Sampled,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.is_on()).finish()
    }
}

impl Metrics {
    /// Records in a new registry.
    pub fn new() -> Self {
        let mut book = Book::default();
        let http = HttpFamilies::new(&mut book);
        let jobs = JobFamilies::new(&mut book);
        let webhook = WebhookFamilies::new(&mut book);
        let media = MediaFamilies::new(&mut book);
        let provider = ProviderFamilies::new(&mut book);
        let notify = NotifyFamilies::new(&mut book);
        let background = BackgroundFamilies::new(&mut book);
        let pool = PoolGauges::new(&mut book);
        let reads = ReadFamilies::new(&mut book);
        let sampled = Sampled::new(&mut book);
        process::register(&mut book);
        let (registry, reference) = book.close();
        let callers = CallerNames::default();
        Self(Some(Arc::new(Inner {
            registry,
            reference,
            callers,
            http,
            jobs,
            webhook,
            media,
            provider,
            notify,
            background,
            pool,
            reads,
            sampled,
        })))
    }

    /// Whether it records anything.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// All metrics as text; `None` if nothing is recorded.
    pub fn encode(&self) -> Option<Result<String, fmt::Error>> {
        let inner = self.0.as_ref()?;
        let mut text = String::new();
        Some(text::encode(&mut text, &inner.registry).map(|()| text))
    }

    /// What there is to scrape, by name.
    pub fn reference(&self) -> &[Described] {
        self.0.as_ref().map_or(&[], |inner| &inner.reference)
    }
}
