//! Uploaded recordings: uploads, what the provider fetches, and the store.
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use super::{Metrics, book::Book};

const UPLOADS: [&str; 2] = ["stored", "known"];
const FETCHES: [&str; 4] = ["served", "unknown_token", "too_many", "store_failed"];
const OPERATIONS: [&str; 3] = ["put", "read", "delete"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

pub struct MediaFamilies {
    uploads: Family<OutcomeLabels, Counter>,
    upload_bytes: Counter,
    fetches: Family<OutcomeLabels, Counter>,
    store_errors: Family<OperationLabels, Counter>,
}

impl MediaFamilies {
    pub fn new(book: &mut Book) -> Self {
        let this = Self {
            uploads: Family::default(),
            upload_bytes: Counter::default(),
            fetches: Family::default(),
            store_errors: Family::default(),
        };
        for outcome in UPLOADS {
            this.uploads.get_or_create_owned(&OutcomeLabels { outcome });
        }
        for outcome in FETCHES {
            this.fetches.get_or_create_owned(&OutcomeLabels { outcome });
        }
        for operation in OPERATIONS {
            this.store_errors.get_or_create_owned(&OperationLabels { operation });
        }
        book.add(
            "aftercall_media_uploads_total",
            &["outcome"],
            "Uploads of recordings: stored, known (the caller had uploaded the same bytes), or the code of the problem",
            this.uploads.clone(),
        );
        book.add(
            "aftercall_media_upload_bytes_total",
            &[],
            "Bytes of recordings that were stored",
            this.upload_bytes.clone(),
        );
        book.add(
            "aftercall_media_fetches_total",
            &["outcome"],
            "Requests on the webhook listener for recordings, ranges counted one by one",
            this.fetches.clone(),
        );
        book.add(
            "aftercall_media_store_errors_total",
            &["operation"],
            "Operations of the store of recordings that failed",
            this.store_errors.clone(),
        );
        this
    }
}

impl Metrics {
    /// An upload ended; `bytes` of it were stored.
    pub fn uploaded(&self, outcome: &'static str, bytes: u64) {
        let Some(inner) = &self.0 else { return };
        inner.media.uploads.get_or_create_owned(&OutcomeLabels { outcome }).inc();
        inner.media.upload_bytes.inc_by(bytes);
    }

    /// A recording was asked for with a token.
    pub fn fetched(&self, outcome: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.media.fetches.get_or_create_owned(&OutcomeLabels { outcome }).inc();
    }

    pub fn store_failed(&self, operation: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.media.store_errors.get_or_create_owned(&OperationLabels { operation }).inc();
    }
}
