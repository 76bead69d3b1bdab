//! What a key may do beyond what every key may.
use clap::ValueEnum;

/// Rights beyond a caller's own jobs. None of them contains another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Look at what belongs to all callers.
    #[value(name = "admin:read")]
    AdminRead,
    /// Change what belongs to all callers.
    #[value(name = "admin:write")]
    AdminWrite,
}

impl Scope {
    /// As it is written in Postgres and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdminRead => "admin:read",
            Self::AdminWrite => "admin:write",
        }
    }

    /// Those of the names that this version knows; a newer one may have stored others.
    pub(super) fn known(names: &[String]) -> Vec<Self> {
        names.iter().filter_map(|name| Self::from_str(name, false).ok()).collect()
    }
}
