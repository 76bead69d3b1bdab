//! The listener for operators.
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::values::Optional;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpsSettings {
    pub listen: SocketAddr,
    pub max_connections: usize,
    #[serde(with = "Optional::<Url>")]
    pub prometheus_url: Option<Url>,
    pub metrics: bool,
}
