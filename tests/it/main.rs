#![cfg(test)]
//! One test binary: a module per stage, shared helpers in `support`.
mod architecture;
mod embedded;
mod healthcheck;
mod openapi;
mod process;
mod provider;
mod sandbox;
mod support;
mod test_db;
