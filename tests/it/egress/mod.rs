//! The egress guard: which addresses it lets through, and that nothing else is ever connected to. The sender: what
//! receivers get, and what may come back.
mod addresses;
mod name_server;
mod rebinding;
mod sending;

use aftercall::config::{self, NotifySettings};

/// The built-in settings with this `notify.allow` and `notify.private_networks`.
fn settings(allow: &[&str], private_networks: bool) -> NotifySettings {
    let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
    NotifySettings { allow, private_networks, ..config::load(None).unwrap().settings.notify }
}
