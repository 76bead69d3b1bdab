//! Scopes: what an API key may do.
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A permission of an API key. No scope includes another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, ValueEnum,
)]
pub enum Scope {
    /// Submit, cancel, retry and delete jobs, and upload recordings.
    #[serde(rename = "jobs:write")]
    #[value(name = "jobs:write")]
    JobsWrite,
    /// Read jobs: lists, timelines, events, exports.
    #[serde(rename = "jobs:read")]
    #[value(name = "jobs:read")]
    JobsRead,
    /// Read results: transcripts, utterances, speakers, insights, and uploaded recordings.
    #[serde(rename = "transcript:read")]
    #[value(name = "transcript:read")]
    TranscriptRead,
    /// Read what the provider sent, byte for byte.
    #[serde(rename = "transcript:raw")]
    #[value(name = "transcript:raw")]
    TranscriptRaw,
    /// Search what was said.
    #[serde(rename = "search:read")]
    #[value(name = "search:read")]
    SearchRead,
    /// Read statistics.
    #[serde(rename = "stats:read")]
    #[value(name = "stats:read")]
    StatsRead,
    /// Manage endpoints for notifications.
    #[serde(rename = "notify:write")]
    #[value(name = "notify:write")]
    NotifyWrite,
    /// Erase what is stored about a recording.
    #[serde(rename = "erasure:write")]
    #[value(name = "erasure:write")]
    ErasureWrite,
    /// Read data of all callers.
    #[serde(rename = "admin:read")]
    #[value(name = "admin:read")]
    AdminRead,
    /// Change data of all callers, and create API keys with any scope.
    #[serde(rename = "admin:write")]
    #[value(name = "admin:write")]
    AdminWrite,
}

impl Scope {
    /// The scopes of a key for which none were given: everything an app does with its own jobs.
    pub const PLAIN: &[Self] =
        &[Self::JobsWrite, Self::JobsRead, Self::TranscriptRead, Self::SearchRead, Self::StatsRead];

    /// As written in Postgres, in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::JobsWrite => "jobs:write",
            Self::JobsRead => "jobs:read",
            Self::TranscriptRead => "transcript:read",
            Self::TranscriptRaw => "transcript:raw",
            Self::SearchRead => "search:read",
            Self::StatsRead => "stats:read",
            Self::NotifyWrite => "notify:write",
            Self::ErasureWrite => "erasure:write",
            Self::AdminRead => "admin:read",
            Self::AdminWrite => "admin:write",
        }
    }
}

/// The scopes of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// The names that this version knows; a newer one may have stored others.
    pub(super) fn known(names: &[String]) -> Self {
        names.iter().filter_map(|name| Scope::from_str(name, false).ok()).collect()
    }

    /// The first of those that are needed and not among these.
    pub fn lack(self, needed: Self) -> Option<Scope> {
        let mut scopes = Scope::value_variants().iter().copied();
        scopes.find(|scope| needed.contain(*scope) && !self.contain(*scope))
    }

    pub fn contain(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |all, scope| all | bit(scope)))
    }
}

fn bit(scope: Scope) -> u16 {
    1 << scope as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_and_json_have_the_stored_names() {
        for scope in Scope::value_variants() {
            assert_eq!(scope.to_possible_value().unwrap().get_name(), scope.name());
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
        }
    }

    #[test]
    fn a_set_contains_what_was_put_into_it() {
        let plain: Scopes = Scope::PLAIN.iter().copied().collect();
        for scope in Scope::value_variants() {
            assert_eq!(plain.contain(*scope), Scope::PLAIN.contains(scope), "{scope:?}");
        }
        assert_eq!(Scopes::known(&["jobs:read".into(), "later:scope".into()]), {
            Scopes(bit(Scope::JobsRead))
        });
    }
}
