#![cfg(test)]
//! One test binary: a module per stage, shared helpers in `support`.
mod admin;
mod architecture;
mod chaos;
mod dispatch;
mod embedded;
mod fuzz;
mod healthcheck;
mod http;
mod intake;
mod loops;
mod model;
mod openapi;
mod plans;
mod process;
mod provider;
mod query;
mod reconcile;
mod reporting;
mod sandbox;
mod shape;
mod spine;
mod stats;
mod support;
mod sweep;
mod test_db;
mod webhook;
