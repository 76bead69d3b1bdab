pub mod cli;
pub mod config;
pub mod db;
pub mod embedded;
pub mod insights;
pub mod provider;
pub mod supervise;
