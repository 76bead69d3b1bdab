//! The process as users and operators see it: the real binary, in a separate folder.
mod backup;
mod cli;
mod config;
mod console;
mod demo;
mod doctor;
mod drain;
mod flood;
mod greedy;
mod home;
mod hostile;
mod killed;
mod leaks;
mod lifecycle;
mod logs;
mod media;
mod metrics;
mod new_app;
mod recordings;
mod reload;
mod reparse;
mod replay;
mod service;
mod status;
mod traces;
mod unknown_tokens;
mod uploads;
mod writes;

pub use backup::postgres;
pub use home::{Ended, Home, Process, free_port};
pub use service::Service;

/// The recording that the sandbox serves, 48 s of a call with a speaker on each channel.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/samples/support-call.wav");
