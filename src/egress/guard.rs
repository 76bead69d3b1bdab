//! The guard, from the settings `notify.allow` and `notify.private_networks`.
use std::{collections::HashSet, fmt, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use reqwest::{
    ClientBuilder,
    dns::{Name, Resolve},
    redirect,
};
use url::{Host, Url};

use super::{
    Refused, SystemResolver, Tier,
    address::{judged, of_itself},
    resolver::Guarded,
};
use crate::config::{Allowed, NotifySettings};

/// Cheap to clone.
#[derive(Clone)]
pub struct Guard(Arc<Rules>);

struct Rules {
    hosts: HashSet<String>,
    addresses: HashSet<IpAddr>,
    networks: Vec<IpNet>,
    private_networks: bool,
    resolver: Arc<dyn Resolve>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Guard {
    pub fn new(settings: &NotifySettings) -> Self {
        Self::with_resolver(settings, Arc::new(SystemResolver::default()))
    }

    /// With another way to resolve names.
    pub fn with_resolver(settings: &NotifySettings, resolver: Arc<dyn Resolve>) -> Self {
        let mut rules = Rules {
            hosts: HashSet::new(),
            addresses: HashSet::new(),
            networks: Vec::new(),
            private_networks: settings.private_networks,
            resolver,
        };
        for allowed in &settings.allow {
            match allowed {
                Allowed::Host(name) => drop(rules.hosts.insert(name.clone())),
                Allowed::Address(address) => drop(rules.addresses.insert(*address)),
                Allowed::Network(network) => rules.networks.push(*network),
            }
        }
        Self(Arc::new(rules))
    }

    /// The addresses of the URL's host, if the service may send to all of them.
    pub async fn vet(&self, url: &Url) -> Result<Vec<IpAddr>, Refused> {
        match self.vet_literal(url)? {
            Some(address) => Ok(vec![address]),
            None => self.resolved(url.host_str().unwrap_or_default(), is_plain(url)).await,
        }
    }

    /// Checks what needs no lookup: the scheme, and the host if it is an address, which is then returned. A client needs
    /// this before every request, since it resolves only names.
    pub fn vet_literal(&self, url: &Url) -> Result<Option<IpAddr>, Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme);
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(None),
            None => return Err(Refused::Scheme),
        };
        self.judge(url.host_str().unwrap_or_default(), is_plain(url), address)?;
        Ok(Some(address))
    }

    /// A client that connects only to addresses that the guard has judged; `is_plain` for http URLs, otherwise for https.
    pub fn client(&self, is_plain: bool) -> ClientBuilder {
        reqwest::Client::builder()
            .dns_resolver(Guarded { guard: self.clone(), is_plain })
            .https_only(!is_plain)
            .no_proxy()
            .redirect(redirect::Policy::none())
    }

    pub(super) async fn resolved(
        &self,
        host: &str,
        is_plain: bool,
    ) -> Result<Vec<IpAddr>, Refused> {
        let not_resolved = |cause: String| Refused::NotResolved { host: host.to_owned(), cause };
        let name: Name = host.parse().map_err(|_| not_resolved("not a name".to_owned()))?;
        let found = self.0.resolver.resolve(name).await;
        let found = found.map_err(|error| not_resolved(error.to_string()))?;
        let addresses: Vec<_> = found.map(|address| address.ip()).collect();
        if addresses.is_empty() {
            return Err(not_resolved("it has no addresses".to_owned()));
        }
        addresses.iter().try_for_each(|address| self.judge(host, is_plain, *address))?;
        Ok(addresses)
    }

    fn judge(&self, host: &str, is_plain: bool, address: IpAddr) -> Result<(), Refused> {
        let rules = &self.0;
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if rules.hosts.contains(&name) || rules.addresses.contains(&address) {
            return Ok(());
        }
        for judged in judged(address) {
            let tier = of_itself(judged);
            let is_named = rules.addresses.contains(&judged);
            let is_inside = || rules.networks.iter().any(|network| network.contains(&judged));
            let is_allowed = match tier {
                Tier::Special(_) => is_named,
                Tier::Private => is_named || rules.private_networks || is_inside(),
                Tier::Open if is_plain && !is_named && !is_inside() => {
                    return Err(Refused::PlainHttp { host: host.to_owned() });
                }
                Tier::Open => true,
            };
            if !is_allowed {
                return Err(Refused::Address { host: host.to_owned(), address, tier });
            }
        }
        Ok(())
    }
}

fn is_plain(url: &Url) -> bool {
    url.scheme() == "http"
}
