#![cfg(test)]
//! One test binary: a module per stage, shared helpers in `support`.
mod dispatch;
mod embedded;
mod http;
mod intake;
mod provider;
mod query;
mod reconcile;
mod support;
mod sweep;
mod test_db;
mod webhook;
