//! What the settings must agree on among themselves.
use std::time::Duration;

use bytesize::ByteSize;

use super::{ApiSettings, Automatic, SandboxSettings, Settings};

/// Every contradiction, each with what to do about it; empty when the settings can be used.
pub fn faults(settings: &Settings, environment: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, otherwise: &str| {
        if !holds {
            faults.push(otherwise.to_owned());
        }
    };
    let s = settings;
    let is_production = environment == "production";
    check(!s.roles.is_empty(), "roles: name at least one of api, webhook, worker");

    let has_database = s.database.url.is_some();
    check(
        has_database || (s.database.embedded == Automatic::Auto && !is_production),
        "database.url is not set and the embedded database is off (as always in production): set DATABASE_URL",
    );
    check(s.database.max_connections >= 2, "database.max_connections must be at least 2");

    let p = &s.provider;
    check(
        !is_production || p.base_url.as_ref().is_none_or(|url| url.scheme() == "https"),
        "provider.base_url must be https in production: credentials and recordings go there",
    );
    let credentials = [p.client_id.is_some(), p.client_secret.is_some(), p.jwt.is_some()];
    if p.base_url.is_some() {
        check(
            credentials.iter().all(|set| *set),
            "provider.base_url is set: also set provider.client_id, provider.client_secret and provider.jwt",
        );
        check(
            s.webhook.public_url.is_some(),
            "webhook.public_url is not set: the provider needs an address for its results",
        );
    } else {
        check(
            !credentials.iter().any(|set| *set),
            "provider credentials are set without provider.base_url (https://platform.ringcentral.com)",
        );
        check(
            !is_production,
            "provider.base_url is not set; the sandbox does not run in production",
        );
    }
    if let Some(url) = s.webhook.public_url.as_ref().filter(|_| environment != "dev") {
        check(
            url.scheme() == "https",
            "webhook.public_url must be https unless AFTERCALL_ENV is dev",
        );
    }

    faults.extend(limits(s));
    faults
}

fn sandbox_faults(s: &SandboxSettings) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, otherwise: &str| {
        if !holds {
            faults.push(otherwise.to_owned());
        }
    };
    check(s.max_sessions >= 1, "sandbox.max_sessions must be at least 1");
    check(s.rate_limit >= 1, "sandbox.rate_limit must be at least 1");
    check(s.auth_rate_limit >= 1, "sandbox.auth_rate_limit must be at least 1");
    check(s.delivery_attempts >= 1, "sandbox.delivery_attempts must be at least 1");
    check(s.energy_floor < 0.0, "sandbox.energy_floor is a level below full scale: less than 0");
    check(
        s.pace_slow_below <= s.pace_fast_above,
        "sandbox.pace_slow_below must not exceed sandbox.pace_fast_above",
    );
    check(
        (400..500).contains(&s.unknown_job_status),
        "sandbox.unknown_job_status is a refusal: 400 to 499",
    );
    faults
}

/// What callers may have in hand, and for how long.
fn share_faults(api: &ApiSettings) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, otherwise: &str| {
        if !holds {
            faults.push(otherwise.to_owned());
        }
    };
    for (name, most, of_caller) in [
        ("requests", api.max_requests, api.max_requests_per_caller),
        ("waits", api.max_waits, api.max_waits_per_caller),
        ("streams", api.max_streams, api.max_streams_per_caller),
        ("exports", api.max_exports.into(), api.max_exports_per_caller.into()),
    ] {
        check(
            (1..=most).contains(&of_caller),
            &format!("api.max_{name}_per_caller must be at least 1 and at most api.max_{name}"),
        );
    }
    check(
        api.memory_per_caller.as_u64() / 8 * 7 >= api.max_body.as_u64() * 6,
        "api.memory_per_caller must hold at least one body of api.max_body: seven times as much",
    );
    check(api.memory_per_caller <= api.memory, "api.memory_per_caller must be at most api.memory");
    check(
        api.export_min_rate.as_u64() >= 1,
        "api.export_min_rate must be at least 1 byte a second",
    );
    check(!api.export_patience.is_zero(), "api.export_patience must be longer than nothing");
    check(api.export_max_time >= Duration::from_secs(1), "api.export_max_time must be at least 1s");
    faults
}

/// Numbers that each make no sense by themselves.
fn limits(s: &Settings) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, otherwise: &str| {
        if !holds {
            faults.push(otherwise.to_owned());
        }
    };
    let p = &s.provider;
    check(p.gate.limit >= 1, "provider.gate.limit must be at least 1");
    check(!p.gate.window.is_zero(), "provider.gate.window must be longer than nothing");
    check(!p.gate.probe.is_zero(), "provider.gate.probe must be longer than nothing");
    check((0.0..=1.0).contains(&p.gate.poll_share), "provider.gate.poll_share is a share: 0 to 1");
    check(s.dispatch.concurrency >= 1, "dispatch.concurrency must be at least 1");
    check(s.dispatch.max_attempts >= 1, "dispatch.max_attempts must be at least 1");
    check(
        s.dispatch.lease >= p.timeout * 2,
        "dispatch.lease must be at least twice provider.timeout (one token and one submission)",
    );
    check(
        (1..s.database.max_connections).contains(&s.api.max_exports.into()),
        "api.max_exports must be at least 1 and less than database.max_connections: each takes one",
    );
    check(
        s.api.max_values >= 10_000,
        "api.max_values must be at least 10000, which one job may need",
    );
    check(!s.http.write_timeout.is_zero(), "http.write_timeout must be longer than nothing");
    let w = &s.webhook;
    check(
        s.api.max_connections >= 1 && w.max_connections >= 1 && s.ops.max_connections >= 1,
        "api.max_connections, webhook.max_connections and ops.max_connections must be at least 1",
    );
    check(
        (1..=w.max_connections).contains(&w.max_connections_per_address),
        "webhook.max_connections_per_address must be at least 1 and at most webhook.max_connections",
    );
    check(
        s.api.max_streams < s.api.max_connections,
        "api.max_streams must be less than api.max_connections: each takes one",
    );
    check(s.jobs.deadline >= Duration::from_secs(1), "jobs.deadline must be at least 1s");
    check(s.retention.partitions_ahead >= 1, "retention.partitions_ahead must be at least 1");
    faults.extend(share_faults(&s.api));
    faults.extend(delivery_faults(s));
    faults.extend(sandbox_faults(&s.sandbox));
    faults
}

/// Of what deliveries may take.
fn delivery_faults(s: &Settings) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, otherwise: &str| {
        if !holds {
            faults.push(otherwise.to_owned());
        }
    };
    let (i, w) = (&s.ingest, &s.webhook);
    check(
        i.batch_max >= 1 && i.writers >= 1 && i.queue_max >= 1,
        "ingest.batch_max, ingest.writers and ingest.queue_max must be at least 1",
    );
    check(
        i.memory.as_u64() >= w.max_body.as_u64() + w.max_inflated.as_u64(),
        "ingest.memory must hold at least one delivery of webhook.max_body and webhook.max_inflated",
    );
    check(i.token_bodies >= 1, "ingest.token_bodies must be at least 1");
    check(i.attempt_deliveries >= 1, "ingest.attempt_deliveries must be at least 1");
    check(
        i.attempt_bytes >= w.max_body,
        "ingest.attempt_bytes must hold at least one delivery of webhook.max_body",
    );
    check(i.max_values >= 1000, "ingest.max_values must be at least 1000");
    check(
        w.unproven_body <= ByteSize::kib(64),
        "webhook.unproven_body must be at most 64KiB: a larger body can show its token first",
    );
    check(
        w.unproven_memory >= w.unproven_body,
        "webhook.unproven_memory must hold at least one body of webhook.unproven_body",
    );
    check(!w.read_timeout.is_zero(), "webhook.read_timeout must be longer than nothing");
    faults
}
