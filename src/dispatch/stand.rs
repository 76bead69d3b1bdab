//! Whether the provider deals with submissions at all, as far as one answer tells.
use std::time::Duration;

use sqlx::PgPool;

use crate::provider::{
    Accepted, SubmitError,
    gate::{self, Blame, Refusing},
};

#[derive(Debug)]
pub enum Stand {
    /// It took the submission, or refused it for what it was.
    Takes,
    /// It refused it as it would any other.
    Refuses(Refusing),
    /// The answer, or the lack of one, says nothing of that.
    Unclear,
}

impl Stand {
    pub fn of(answer: &Result<Accepted, SubmitError>) -> Self {
        let (blame, status, errors) = match answer {
            Ok(_) | Err(SubmitError::Refused { .. }) => return Self::Takes,
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

    /// Tells all replicas, and the log once, where that is news.
    pub async fn note(&self, db: &PgPool, probe: Duration) -> sqlx::Result<()> {
        match self {
            Self::Takes => {
                if let Some(since) = gate::taken(db).await? {
                    tracing::info!(%since, "the provider accepts submissions again");
                }
            }
            Self::Refuses(what) => {
                let Refusing { blame, status, code } = what;
                if gate::refused(db, what, probe).await? {
                    tracing::error!(
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
