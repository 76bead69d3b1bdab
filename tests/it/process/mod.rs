//! The process as users and operators see it: the real binary, in a separate folder.
mod backup;
mod cli;
mod config;
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
mod metrics;
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

pub use home::{Ended, Home, Process, free_port};
pub use service::Service;
