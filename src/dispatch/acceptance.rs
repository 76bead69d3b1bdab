//! Whether the provider accepts submissions in general, judged from one response.
use std::time::Duration;

use sqlx::PgPool;

use crate::provider::{
    Accepted, SubmitError,
    gate::{self, Blame, Refusing},
};

#[derive(Debug)]
pub enum Acceptance {
    /// It accepted the submission, or rejected it for its content.
    Accepts,
    /// It rejected the submission as it would any other.
    Refuses(Refusing),
    /// The response, or its absence, does not say.
    Unclear,
}

impl Acceptance {
    pub fn of(answer: &Result<Accepted, SubmitError>) -> Self {
        let (blame, status, errors) = match answer {
            Ok(_) | Err(SubmitError::Refused { .. }) => return Self::Accepts,
            Err(SubmitError::Unauthorized { status, errors, .. }) => {
                (Blame::Credentials, *status, errors)
            }
            Err(SubmitError::Misdirected { status, errors, .. }) => {
                (Blame::Address, Some(*status), errors)
            }
            Err(_) => return Self::Unclear,
        };
        let code = errors.first().map(|error| error.code.clone());
        let status = status.map(|status| status.as_u16());
        Self::Refuses(Refusing { blame, status, code })
    }

    /// Records it for all replicas; logs it once when it changes.
    pub async fn note(&self, db: &PgPool, account: &str, probe: Duration) -> sqlx::Result<()> {
        match self {
            Self::Accepts => {
                if let Some(since) = gate::taken(db, account).await? {
                    tracing::info!(account, %since, "the provider accepts submissions again");
                }
            }
            Self::Refuses(what) => {
                let Refusing { blame, status, code } = what;
                if gate::refused(db, account, what, probe).await? {
                    tracing::error!(
                        account,
                        ?blame,
                        status,
                        code,
                        probe_secs = probe.as_secs(),
                        "the provider rejects all submissions; jobs stay queued, and one is submitted \
                         every probe_secs until it is accepted"
                    );
                }
            }
            Self::Unclear => {}
        }
        Ok(())
    }
}
