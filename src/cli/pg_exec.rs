//! Hidden: executes a program of the managed Postgres so that it ends with its parent.
use std::ffi::OsString;

use crate::embedded::{DeathSignal, ExecArguments};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    parent: i32,
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    #[arg(long)]
    gid: Option<u32>,
    #[arg(long)]
    death_signal: DeathSignal,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Args {
    /// Returns only on failure.
    pub fn run(self) -> anyhow::Result<()> {
        let Self { parent, uid, gid, death_signal, command } = self;
        let mut words = command.into_iter();
        let program = words.next().unwrap_or_default();
        let arguments = words.collect();
        let order = ExecArguments { parent, uid, gid, death_signal, program, arguments };
        match order.carry_out()? {}
    }
}
