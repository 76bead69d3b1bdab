//! Jobs whose submission would be paid for in vain, because the provider could not fetch their recording.
use serde_json::Value;
use url::Url;

use crate::{
    jobs::{self, Claimed, ErrorClass, JobError},
    provider::MediaHosts,
};

const AGAIN: &str = "retry the job with a fresh contentUri";

/// Removes them from the claimed jobs; each with its error.
pub fn extract(claimed: &mut Vec<Claimed>, hosts: &MediaHosts) -> Vec<(Claimed, JobError)> {
    let all = std::mem::take(claimed);
    let mut doomed = Vec::new();
    for job in all {
        match why(&job, hosts) {
            Some(error) => doomed.push((job, error)),
            None => claimed.push(job),
        }
    }
    doomed
}

fn why(claimed: &Claimed, hosts: &MediaHosts) -> Option<JobError> {
    let message = if let Err(fault) = &claimed.url {
        format!("the URL of the recording cannot be used: {fault}; {AGAIN}")
    } else {
        let url = claimed.request.get("contentUri").and_then(Value::as_str)?;
        let url = Url::parse(url).ok().filter(|url| !hosts.have(url))?;
        let expired_at = jobs::url_expiry(&url).filter(|at| *at <= claimed.claimed_at)?;
        let at = expired_at.format("%Y-%m-%dT%H:%M:%SZ");
        format!("the URL of the recording expired at {at}, before its turn came; {AGAIN}")
    };
    let parameter = Some("contentUri".to_owned());
    Some(JobError { parameter, ..JobError::new(ErrorClass::Validation, message) })
}
