//! Times on the command line: `2026-05-01T00:00:00Z`, or an age such as `7d`.
use std::{str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use humantime_serde::re::humantime;
use sqlx::PgPool;

use crate::db;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeArg {
    At(DateTime<Utc>),
    /// Before the database's current time.
    Ago(Duration),
}

impl FromStr for TimeArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Years have four digits in RFC 3339: `parse` would accept years beyond Postgres's range.
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        humantime::parse_duration(text)
            .map(Self::Ago)
            .map_err(|_| "must be a time like 2026-05-01T00:00:00Z or an age like 7d")
    }
}

impl TimeArg {
    /// The time by the database's clock.
    pub async fn resolve(moment: Option<Self>, db: &PgPool) -> sqlx::Result<Option<DateTime<Utc>>> {
        Ok(match moment {
            Some(Self::At(at)) => Some(at),
            Some(Self::Ago(age)) => Some(db::ago(db, age).await?),
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_or_ages() {
        let at = |text: &str| TimeArg::At(text.parse().unwrap());
        assert_eq!("2026-05-01T02:00:00+02:00".parse(), Ok(at("2026-05-01T00:00:00Z")));
        assert_eq!("7d".parse(), Ok(TimeArg::Ago(Duration::from_hours(7 * 24))));
        for wrong in ["", "7", "yesterday", "2026-05-01", "-7d", "-262143-01-01T00:00:00Z"] {
            assert!(wrong.parse::<TimeArg>().is_err(), "{wrong}");
        }
    }
}
