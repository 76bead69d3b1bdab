//! The public webhook URL, as the provider sees it.
use std::{net::IpAddr, time::SystemTime};

use chrono::{DateTime, Utc};
use tokio::net::lookup_host;
use url::Url;

use super::{Examined, Finding, unchecked};
use crate::{
    config,
    public_hook::{self, HookReport, SelfTestKey},
};

const ADDRESS: &str = "webhook address";
const CERTIFICATE: &str = "webhook TLS";
const RESPONSE: &str = "webhook";
/// Certificates are usually renewed a month before they expire.
const FEW_DAYS: i64 = 14;

pub async fn checks(examined: &Examined<'_>) -> Vec<Finding> {
    let base = &examined.webhook_base;
    let mut findings = vec![address(base, examined.is_production()).await];
    let Ok(db) = &examined.db else {
        let advice = "fix the database first: it has the key of the test";
        findings.push(Finding::warn(RESPONSE, "not tested without the database", advice));
        return findings;
    };
    let token = async { SelfTestKey::load(db).await?.token().await };
    match token.await {
        Ok(token) => {
            let report = public_hook::probe(base, &token).await;
            findings.extend(report.expires.map(certificate));
            findings.push(response(base, &report));
        }
        Err(error) => findings.push(unchecked(RESPONSE, &error)),
    }
    findings
}

async fn address(base: &Url, is_production: bool) -> Finding {
    let host = base.host_str().unwrap_or_default();
    let port = base.port_or_known_default().unwrap_or(443);
    let name = host.trim_matches(['[', ']']);
    let addresses: Vec<IpAddr> = match lookup_host((name, port)).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => {
            let advice = "check webhook.public_url and its DNS entry";
            return Finding::fail(ADDRESS, format!("{host} does not resolve: {error}"), advice);
        }
    };
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let detail =
        if shown == [name] { host.to_owned() } else { format!("{host} is {}", shown.join(", ")) };
    if is_production && addresses.iter().all(|address| is_internal(*address)) {
        let advice =
            "the provider comes from the internet: webhook.public_url needs a public address";
        return Finding::warn(ADDRESS, format!("{detail}, seen from here"), advice);
    }
    Finding::ok(ADDRESS, detail)
}

/// Cannot be reached from the internet.
fn is_internal(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn certificate(expires: DateTime<Utc>) -> Finding {
    let left = (expires - DateTime::<Utc>::from(SystemTime::now())).num_days();
    let detail =
        format!("a trusted certificate for {left} more days, until {}", expires.date_naive());
    if left < FEW_DAYS {
        return Finding::warn(
            CERTIFICATE,
            detail,
            "renew it; automatic renewal may have stopped working",
        );
    }
    Finding::ok(CERTIFICATE, detail)
}

fn response(base: &Url, report: &HookReport) -> Finding {
    let seconds = report.duration.as_secs_f64();
    let url = config::shown_url(base);
    let Some(fault) = report.faults.first() else {
        let detail = format!(
            "{url} took a delivery in {seconds:.3} s, {} bytes, Validation-Token echoed",
            report.bytes
        );
        return Finding::ok(RESPONSE, detail);
    };
    Finding::fail(RESPONSE, format!("{url}: {fault} ({seconds:.2} s)"), fault.advice())
}
