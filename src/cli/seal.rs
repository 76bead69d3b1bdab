//! `aftercall seal`: the keys that seal stored secrets.
use anyhow::Context as _;
use clap::Subcommand;

use super::output;
use crate::seal::Keys;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a new key as a line for seal.key.
    Key {
        /// What the key is called, such as 2026-11: lower-case letters, digits, `.`, `_`, `-`. By default it is called
        /// at random.
        id: Option<String>,
    },
}

pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Key { id } => {
            let id = id.unwrap_or_else(|| format!("key-{:08x}", rand::random::<u32>()));
            let line = Keys::new_line(&id).with_context(|| {
                format!("cannot call a key {id:?}; ids are like 2026-11, of at most 40 characters")
            })?;
            output::print(&line)
        }
    }
}
