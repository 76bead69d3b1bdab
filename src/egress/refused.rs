//! Why the guard refuses a URL, and which setting would allow it.
use std::net::IpAddr;

use super::{Special, Tier};

/// Never contains more of the URL than its host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("must be an https URL, or an http URL inside your own networks")]
    Scheme,
    #[error("{host} does not resolve: {cause}")]
    NotResolved { host: String, cause: String },
    #[error("{}", advice(.host, *.address, *.tier))]
    Address { host: String, address: IpAddr, tier: Tier },
    #[error(
        "{host} is outside your own networks, so it needs https; an operator can allow http by \
         adding {host} to notify.allow"
    )]
    PlainHttp { host: String },
}

impl Refused {
    /// A stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::NotResolved { .. } => "not-resolved",
            Self::Address { .. } => "address-refused",
            Self::PlainHttp { .. } => "https-required",
        }
    }

    /// Whether a later attempt may pass without a change of the settings or of the URL.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::NotResolved { .. })
    }
}

fn advice(host: &str, address: IpAddr, tier: Tier) -> String {
    let kind = match tier {
        Tier::Open => "an address",
        Tier::Private => "a private address",
        Tier::Special(Special::Loopback) => "a loopback address",
        Tier::Special(Special::LinkLocal) => "a link-local address",
        Tier::Special(Special::Metadata) => "the address of a cloud's metadata service",
        Tier::Special(Special::Unusable) => "an address that no single host has",
    };
    // IPv6 addresses are in brackets in a URL.
    let is_literal = host.trim_matches(['[', ']']) == address.to_string();
    let (what, names) = if is_literal {
        (format!("{address} is {kind}"), address.to_string())
    } else {
        (format!("{host} resolves to {address}, {kind}"), format!("{host} or {address}"))
    };
    let switch = match tier {
        Tier::Private => ", its network, or by setting notify.private_networks to true",
        Tier::Open | Tier::Special(_) => "",
    };
    format!("{what}; an operator can allow it by adding {names} to notify.allow{switch}")
}
