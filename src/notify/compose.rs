//! Composes the message of a claimed notification, at each attempt anew.
use url::Url;

use super::{
    Deliverer,
    body::{Included, body},
};
use crate::{
    egress::{Message, Target},
    endpoints::EndpointTarget,
    insights,
    notifications::{Claimed, Subject},
    seal::Place,
    telemetry,
};

impl Deliverer {
    /// Where and what to send; `None` if that is no longer known.
    pub(super) async fn compose(
        &self,
        claimed: &Claimed,
        target: Option<&EndpointTarget>,
    ) -> Option<(Target, Message)> {
        let target = target?;
        let url =
            if claimed.has_own_url { self.own_url(claimed)? } else { target.target.url.clone() };
        let includes_summary = target.include.iter().any(|name| name == "summary");
        let summary = if includes_summary && tells_result(&claimed.event.kind) {
            self.summary(claimed).await
        } else {
            None
        };
        let included = Included { external_id: claimed.external_id.clone(), summary };
        let message = Message {
            id: claimed.event.message_id(&claimed.nonce),
            timestamp: claimed.now,
            body: body(&claimed.event, &included).ok()?.into(),
            traceparent: telemetry::to_pass(claimed.trace_context.as_deref()),
        };
        Some((Target { url, secrets: target.target.secrets.clone() }, message))
    }

    /// The URL of the job itself.
    fn own_url(&self, claimed: &Claimed) -> Option<Url> {
        let Subject::Job { id, .. } = claimed.event.subject else { return None };
        let place = Place { table: "jobs", row: id.uuid() };
        match self.seal.open(place, claimed.own_url.as_deref()?) {
            Ok(plain) => Url::parse(std::str::from_utf8(&plain).ok()?).ok(),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot open the URL of a job");
                None
            }
        }
    }

    /// The short summary of the job, unless its result has expired; `None` also while the database is unavailable.
    async fn summary(&self, claimed: &Claimed) -> Option<String> {
        let Subject::Job { id, .. } = claimed.event.subject else { return None };
        match insights::summary(&self.db, id).await {
            Ok(summary) => summary,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot read a summary; the notification goes without it");
                None
            }
        }
    }
}

/// Whether events of this type are about a result.
fn tells_result(kind: &str) -> bool {
    matches!(kind, "job.completed" | "job.reparsed")
}
