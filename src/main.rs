use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

/// A fifth less processor time for a delivery than with the allocator of glibc, measured.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match aftercall::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aftercall: {error:#}");
            let is_config = error.is::<aftercall::config::ConfigError>();
            ExitCode::from(if is_config { 78 } else { 1 })
        }
    }
}
