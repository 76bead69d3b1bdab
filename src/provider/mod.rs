//! The provider: RingCentral's Interaction Analytics API, or anything that speaks its contract.
//!
//! The only module that knows the provider's JSON.
pub mod gate;
pub mod wire;

#[derive(Debug, Clone, Default)]
pub struct RateHeaders {
    pub limit: Option<u32>,
    pub remaining: Option<u32>,
    pub window: Option<std::time::Duration>,
}
