//! Constraints across sections. Each section's own constraints are checked in its file.
use super::{Automatic, Settings};

/// What is wrong with the settings, each with what to do about it.
#[derive(Debug, Default)]
pub(super) struct SettingFaults(Vec<String>);

impl SettingFaults {
    /// Adds `otherwise` unless `holds`.
    pub fn check(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.0.push(otherwise.to_owned());
        }
    }
}

/// All violated constraints; empty when the settings are valid.
pub(super) fn faults(settings: &Settings, environment: &str) -> Vec<String> {
    let mut faults = SettingFaults::default();
    let s = settings;
    faults.check(!s.roles.is_empty(), "roles must contain at least one of api, webhook and worker");
    check_environment(s, environment, &mut faults);
    s.database.check(&mut faults);
    s.http.check(&mut faults);
    s.api.check(&mut faults);
    s.keys.check(&mut faults);
    s.console.check(&mut faults);
    s.webhook.check(&mut faults);
    s.submissions.check(&mut faults);
    s.ingest.check(&mut faults);
    s.provider.check(&mut faults);
    s.dispatch.check(&mut faults);
    s.jobs.check(&mut faults);
    s.media.check(&mut faults);
    s.notify.check(&mut faults);
    s.retention.check(&mut faults);
    s.seal.check(environment == "production", &mut faults);
    s.sandbox.check(&mut faults);
    s.log.check(&mut faults);
    check_together(s, &mut faults);
    faults.0
}

/// What must be set, and what must not be, in each environment.
fn check_environment(s: &Settings, environment: &str, faults: &mut SettingFaults) {
    let is_production = environment == "production";
    let has_database = s.database.url.is_some();
    faults.check(
        has_database || (s.database.embedded == Automatic::Auto && !is_production),
        "database.url is not set and the embedded database is off (as it always is in production): set DATABASE_URL",
    );
    let p = &s.provider;
    faults.check(
        !is_production || p.base_url.as_ref().is_none_or(|url| url.scheme() == "https"),
        "provider.base_url must be https in production: credentials and recordings go there",
    );
    for (name, account) in &p.accounts {
        faults.check(
            !is_production || account.base_url.as_ref().is_none_or(|url| url.scheme() == "https"),
            &format!("provider.accounts.{name}.base_url must be https in production: credentials and recordings go there"),
        );
    }
    let credentials = [p.client_id.is_some(), p.client_secret.is_some(), p.jwt.is_some()];
    if p.base_url.is_some() {
        faults.check(
            credentials.iter().all(|set| *set),
            "provider.base_url is set: also set provider.client_id, provider.client_secret and provider.jwt",
        );
        faults.check(
            s.webhook.public_url.is_some(),
            "webhook.public_url is not set: the provider needs a URL to send results to",
        );
    } else {
        faults.check(
            !credentials.iter().any(|set| *set),
            "provider credentials are set without provider.base_url (https://platform.ringcentral.com)",
        );
        faults.check(
            !is_production,
            "provider.base_url is not set; the sandbox does not run in production",
        );
    }
    if let Some(url) = s.webhook.public_url.as_ref().filter(|_| environment != "dev") {
        faults.check(
            url.scheme() == "https",
            "webhook.public_url must be https unless AFTERCALL_ENV is dev",
        );
    }
}

/// Constraints between sections.
fn check_together(s: &Settings, faults: &mut SettingFaults) {
    let (i, w) = (&s.ingest, &s.webhook);
    faults.check(
        s.dispatch.lease >= s.provider.timeout * 2,
        "dispatch.lease must be at least twice provider.timeout (for a token and a submission)",
    );
    faults.check(
        (1..s.database.max_connections).contains(&s.api.max_exports.into()),
        "api.max_exports must be at least 1 and less than database.max_connections: each export takes one",
    );
    faults.check(
        s.database.read_max_lag < s.api.request_timeout,
        "database.read_max_lag must be shorter than api.request_timeout: a read goes to the primary after it",
    );
    faults.check(
        s.api.max_connections >= 1 && w.max_connections >= 1 && s.ops.max_connections >= 1,
        "api.max_connections, webhook.max_connections and ops.max_connections must be at least 1",
    );
    faults.check(
        i.memory.as_u64() >= w.max_body.as_u64() + w.max_inflated.as_u64(),
        "ingest.memory must be at least webhook.max_body plus webhook.max_inflated",
    );
    s.retention.check_with(s.jobs.deadline, faults);
    faults.check(
        i.attempt_bytes >= w.max_body,
        "ingest.attempt_bytes must be at least webhook.max_body",
    );
}
