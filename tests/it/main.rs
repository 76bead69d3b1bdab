#![cfg(test)]
//! One test binary: a module per stage, shared helpers in `support`.
mod embedded;
mod process;
mod provider;
mod support;
mod test_db;
