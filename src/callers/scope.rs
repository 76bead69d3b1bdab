//! Scopes: what an API key may do beyond its caller's own jobs.
use clap::ValueEnum;

/// Permissions beyond a caller's own jobs. No scope includes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Read data of all callers.
    #[value(name = "admin:read")]
    AdminRead,
    /// Change data of all callers.
    #[value(name = "admin:write")]
    AdminWrite,
}

impl Scope {
    /// As written in Postgres and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdminRead => "admin:read",
            Self::AdminWrite => "admin:write",
        }
    }

    /// The names that this version knows; a newer one may have stored others.
    pub(super) fn known(names: &[String]) -> Vec<Self> {
        names.iter().filter_map(|name| Self::from_str(name, false).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_has_the_stored_names() {
        for scope in Scope::value_variants() {
            assert_eq!(scope.to_possible_value().unwrap().get_name(), scope.name());
        }
    }
}
