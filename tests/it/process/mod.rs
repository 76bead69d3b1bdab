//! The process as users and operators meet it: the real binary, in a folder of its own.
mod cli;
mod config;
mod demo;
mod flood;
mod greedy;
mod home;
mod hostile;
mod killed;
mod leaks;
mod lifecycle;
mod logs;
mod recordings;
mod reparse;
mod replay;
mod service;
mod strangers;
mod uploads;
mod writes;

pub use home::{Ended, Home, Process, free_port};
pub use service::Service;
