use std::process::ExitCode;

use clap::Parser as _;

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
