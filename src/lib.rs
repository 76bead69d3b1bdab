pub mod cli;
pub mod config;
pub mod db;
pub mod insights;
pub mod provider;
pub mod sandbox;
pub mod supervise;
