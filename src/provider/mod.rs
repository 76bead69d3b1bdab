//! The provider: RingCentral's Interaction Analytics API, or anything that speaks its contract.
//!
//! The only module that knows the provider's JSON.
pub mod wire;
