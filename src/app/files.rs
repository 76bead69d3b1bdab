//! Divides the process's limit of open files between its listeners. The process's own needs are set aside first, so
//! that a flood of connections cannot starve it.
use anyhow::ensure;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    config::{ApiSettings, Role, Settings},
    http::Terms,
    metrics::Metrics,
};

/// Files that no setting counts: the runtime's, listeners, connections to the provider, and connections that are closed
/// as soon as they are accepted.
const SPARE: usize = 64;
/// With fewer connections than this a listener is useless.
const FEWEST: usize = 8;

/// Maximum concurrent connections per listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    pub api: usize,
    pub webhook: usize,
}

impl Granted {
    /// Event streams get the same fraction of the connections as in the settings.
    fn streams(self, settings: &ApiSettings) -> usize {
        let ApiSettings { max_streams, max_connections, .. } = *settings;
        share(max_streams, self.api, max_connections).min(max_streams)
    }

    /// The settings with the number of streams limited accordingly.
    pub fn limited(self, settings: &ApiSettings) -> ApiSettings {
        ApiSettings { max_streams: self.streams(settings), ..settings.clone() }
    }
}

/// Of each listener.
pub struct AllTerms {
    pub api: Terms,
    pub webhook: Terms,
    pub ops: Terms,
}

pub fn terms(settings: &Settings, granted: Granted, metrics: &Metrics) -> AllTerms {
    let terms = |listener, connections| Terms {
        write: settings.http.write_timeout,
        connections,
        metrics: metrics.listener(listener, (connections > 0).then_some(connections)),
        ..Terms::default()
    };
    let per_address = settings.webhook.max_connections_per_address;
    AllTerms {
        api: terms("api", granted.api),
        webhook: Terms { per_address, ..terms("webhook", granted.webhook) },
        ops: terms("ops", settings.ops.max_connections),
    }
}

/// As many as the settings ask for, if the system's file limit allows.
///
/// # Errors
/// When the limit is so low that the service would be useless.
pub fn grant(settings: &Settings) -> anyhow::Result<Granted> {
    let wanted = wanted(settings);
    let needed = set_aside(settings) + wanted.api + wanted.webhook;
    let allowed = raised_to(needed)?;
    let granted = granted(settings, allowed)?;
    if granted != wanted {
        tracing::warn!(
            files = allowed,
            needed,
            api = granted.api,
            webhook = granted.webhook,
            "the open files limit allows fewer connections than api.max_connections and webhook.max_connections; raise it"
        );
    }
    Ok(granted)
}

/// The file limit after raising it as far as `needed`, if possible.
fn raised_to(needed: usize) -> anyhow::Result<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let better = soft.max(hard.min(u64::try_from(needed)?));
    let is_better = better > soft && setrlimit(Resource::RLIMIT_NOFILE, better, hard).is_ok();
    Ok(usize::try_from(if is_better { better } else { soft }).unwrap_or(usize::MAX))
}

fn wanted(settings: &Settings) -> Granted {
    let of = |role, connections| if settings.has_role(role) { connections } else { 0 };
    Granted {
        api: of(Role::Api, settings.api.max_connections),
        webhook: of(Role::Webhook, settings.webhook.max_connections),
    }
}

/// Number of open files reserved for everything but callers and deliveries.
fn set_aside(settings: &Settings) -> usize {
    let database = usize::try_from(settings.database.max_connections).unwrap_or(usize::MAX);
    // One more for the listener that feeds waits and streams.
    let own = settings.ops.max_connections.saturating_add(database).saturating_add(1);
    // A submission may need a connection for a token first.
    let own = own.saturating_add(settings.dispatch.concurrency.saturating_mul(2));
    // A transfer has a file, and perhaps a connection to the store; so does the provider's fetch.
    let transfers = settings.media.max_transfers.saturating_add(settings.media.max_fetches);
    own.saturating_add(transfers.saturating_mul(2)).saturating_add(SPARE)
}

fn granted(settings: &Settings, allowed: usize) -> anyhow::Result<Granted> {
    let wanted = wanted(settings);
    let (all, left) = (wanted.api + wanted.webhook, allowed.saturating_sub(set_aside(settings)));
    // The same fraction of what each wants.
    let of = |wanted: usize| if all <= left { wanted } else { share(wanted, left, all) };
    let granted = Granted { api: of(wanted.api), webhook: of(wanted.webhook) };
    let suffices = |granted: usize, wanted: usize| granted >= FEWEST.min(wanted);
    ensure!(
        suffices(granted.api, wanted.api) && suffices(granted.webhook, wanted.webhook),
        "the system allows only {allowed} open files, but {} are needed before the first connection: \
         raise the limit (ulimit -n, LimitNOFILE=)",
        set_aside(settings),
    );
    Ok(granted)
}

/// `part` of `whole`, scaled to `left`.
fn share(part: usize, left: usize, whole: usize) -> usize {
    usize::try_from(part as u128 * left as u128 / whole.max(1) as u128).unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn settings() -> Settings {
        let mut settings = config::load(None).unwrap().settings;
        (settings.api.max_connections, settings.webhook.max_connections) = (3000, 1000);
        settings
    }

    #[test]
    fn what_the_process_needs_itself_is_set_aside_first() {
        let settings = settings();
        let own = set_aside(&settings);
        let of = |allowed| granted(&settings, allowed).unwrap();
        assert_eq!(of(own + 4000), Granted { api: 3000, webhook: 1000 });
        assert_eq!(of(usize::MAX), Granted { api: 3000, webhook: 1000 });
        assert_eq!(of(own + 400), Granted { api: 300, webhook: 100 });
        assert_eq!(of(own + 400).streams(&settings.api), settings.api.max_streams / 10);
        let message = granted(&settings, own + 20).unwrap_err().to_string();
        assert!(message.contains("raise the limit"), "{message}");
        assert!(granted(&settings, 3).is_err());
    }

    #[test]
    fn a_listener_that_there_is_not_takes_nothing() {
        let settings = Settings { roles: vec![Role::Webhook], ..settings() };
        let granted = granted(&settings, set_aside(&settings) + 400).unwrap();
        assert_eq!(granted, Granted { api: 0, webhook: 400 });
    }
}
