//! Settings: built-in defaults, files and variables in, one validated [`Settings`] out.
//!
//! The only reader of configuration files and of the environment. Later sources win:
//! `config/default.toml` (compiled in), `config/<AFTERCALL_ENV>.toml`, `--config`, the variables.
mod environment;
mod sources;
mod types;
mod validate;

pub use environment::{ClientEnvironment, EmbeddedEnvironment, is_here, log_filter, shown_url};
pub use sources::{ConfigError, Loaded, Origin, load, load_demo};
pub use types::*;
