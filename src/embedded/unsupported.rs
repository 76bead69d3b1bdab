//! Replacement for the cluster on systems without Unix sockets, users and signals.
use std::{convert::Infallible, path::PathBuf};

use sqlx::postgres::PgConnectOptions;

use super::{Options, StartError};
use crate::config::EmbeddedEnvironment;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Up,
    Restarting,
    Gone(String),
}

/// Never constructed: [`Cluster::start`] always fails with advice.
#[derive(Debug)]
pub struct Cluster(Infallible);

impl Cluster {
    pub async fn start(_: Options) -> Result<Self, StartError> {
        std::future::ready(Err(StartError::Unsupported)).await
    }

    pub fn is_guest(&self) -> bool {
        match self.0 {}
    }

    pub fn connect_options(&self, _: &str) -> PgConnectOptions {
        match self.0 {}
    }

    pub async fn create_database(&self, _: &str) -> sqlx::Result<()> {
        match self.0 {}
    }

    pub fn health(&self) -> Health {
        match self.0 {}
    }

    pub async fn gone(&self) -> String {
        match self.0 {}
    }

    pub async fn stop(self) {
        match self.0 {}
    }
}

pub fn data_root(_: &EmbeddedEnvironment) -> anyhow::Result<PathBuf> {
    Err(StartError::Unsupported.into())
}
