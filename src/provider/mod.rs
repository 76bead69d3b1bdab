//! The provider: RingCentral's Interaction Analytics API, or anything that speaks its contract.
//!
//! The only module that knows the provider's JSON. [`Client`] sends requests; [`result::parse`]
//! reads what comes back through the webhook or from the status endpoint.
mod account;
mod answer;
mod auth;
mod call_span;
mod client;
mod errors;
pub mod gate;
mod media_hosts;
mod refusal;
mod repair;
pub mod result;
mod secrets;
mod unescaped;
mod unreadable;
pub mod wire;

pub use account::Account;
pub use answer::RateHeaders;
pub use auth::{Credentials, TokenError};
pub use client::{Accepted, Client, StatusAnswer};
pub use errors::{ProviderError, ResponseBytes, StatusError, SubmitError};
pub use media_hosts::MediaHosts;
pub use result::{AnalysisStatus, Message, PARSER_VERSION, parse};
pub use secrets::Secrets;
pub use unreadable::Unreadable;
