//! Names to addresses: by the system's resolver, and through the guard.
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{net::lookup_host, sync::Semaphore, time::timeout};

use super::Guard;

/// Lookups in progress, each on a thread that cannot be interrupted; the runtime has 512.
const LOOKUPS: usize = 128;
/// Longest wait for a lookup.
const TIMEOUT: Duration = Duration::from_secs(5);

/// `getaddrinfo`, as everything else on the machine resolves names: `/etc/hosts`, search domains, DNS.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookups = self.lookups.clone();
        Box::pin(async move {
            let lookup = async {
                let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
                // A task of its own keeps the permit until its thread is free again, whoever still waits.
                let lookup = tokio::spawn(async move {
                    let found = lookup_host((name.as_str(), 0)).await;
                    let found = found.map(Iterator::collect::<Vec<SocketAddr>>);
                    drop(permit);
                    found
                });
                lookup.await.map_err(io::Error::other)?
            };
            let found = timeout(TIMEOUT, lookup).await.map_err(|_| {
                io::Error::new(io::ErrorKind::TimedOut, "no response from the name server")
            })??;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Resolves names to addresses that the guard has judged; fails unless all of them pass.
pub(super) struct Guarded {
    pub guard: Guard,
    pub is_plain: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, is_plain) = (self.guard.clone(), self.is_plain);
        Box::pin(async move {
            let addresses = guard.resolved(name.as_str(), is_plain).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
