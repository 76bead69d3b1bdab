//! Sends signed messages to URLs that callers chose, and only to hosts that the settings allow: the guard and the
//! [`Sender`].
//!
//! Callers choose the URLs of their endpoints, so without a guard they could have the service call whatever it can
//! reach: itself, the cloud's metadata, a database. Addresses have three tiers ([`Tier`]): special ones are refused unless
//! the settings name them exactly, private ones depend on one switch and on networks, and everything else is open.
//!
//! A name is resolved when its endpoint is saved and again for every connection. The client of [`Guard::client`] resolves
//! through the guard, so the addresses that were judged are those that it connects to; a name that resolves differently
//! a moment later gains nothing. All addresses of a name must pass, proxies of the environment are not used and
//! redirects are not followed.
mod address;
mod guard;
mod masked;
mod refused;
mod resolver;
mod secret;
mod send;
mod signature;

pub use address::{Special, Tier, tier};
pub use guard::Guard;
pub use masked::masked;
pub use refused::Refused;
pub use resolver::SystemResolver;
pub use secret::{NotASecret, Secret};
pub use send::{Answer, Message, Outcome, SendError, Sender, Sent, Target};
pub use signature::signatures;
