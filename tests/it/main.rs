#![cfg(test)]
//! One test binary: a module per stage, shared helpers in `support`.
mod sandbox;
