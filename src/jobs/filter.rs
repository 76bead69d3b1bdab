//! Which jobs of a caller to select. Only the given conditions become SQL, so that each combination gets its own plan.
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{JobId, State};
use crate::callers::CallerId;

/// All conditions must hold; empty or `None` conditions do not apply.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct JobFilter {
    /// Any of these states.
    pub states: Vec<State>,
    pub external_id: Option<String>,
    /// All of these tags.
    pub tags: Vec<String>,
    pub language: Option<String>,
    pub audio_type: Option<String>,
    pub created: Period,
    /// Only completed jobs have this time.
    pub completed: Period,
    /// Number of speakers found in the recording.
    pub min_speakers: Option<u16>,
    /// Names of conversational insights, all of which must occur.
    pub insights: Vec<String>,
    /// Emotions of utterances, all of which must occur.
    pub emotions: Vec<String>,
}

/// From `after`, inclusive, to `before`, exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Period {
    pub after: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

impl Period {
    fn is_open(&self) -> bool {
        self.after.is_none() && self.before.is_none()
    }

    /// Conditions on the ids of jobs created in the period, as operators with their right-hand sides.
    pub fn ids(&self) -> impl Iterator<Item = (&'static str, JobId)> {
        let first = self.after.map(|after| (">=", least_id_of(after - CLOCKS_DIFFER)));
        let end = self.before.map(|before| ("<", least_id_of(before + CLOCKS_DIFFER)));
        first.into_iter().chain(end)
    }
}

/// Ids come from the replicas' clocks, `created_at` from Postgres's. The margin costs about 1,500 rows read for nothing
/// per hour, at a million jobs a month.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

impl JobFilter {
    /// Pushes `from … where …`; more conditions may follow with `and`.
    pub fn push(&self, sql: &mut QueryBuilder<Postgres>, caller_id: CallerId) {
        // Without `..`, so that the compiler reports a condition that is missing below.
        let Self {
            states,
            external_id,
            tags,
            language,
            audio_type,
            created,
            completed,
            min_speakers,
            insights,
            emotions,
        } = self;
        sql.push(" from aftercall.jobs j");
        let tag = tags.first();
        if tag.is_some() {
            sql.push(" join aftercall.job_tags t on t.job_id = j.id");
        }
        if min_speakers.is_some() || !insights.is_empty() || !emotions.is_empty() {
            sql.push(
                " join aftercall.conversations c on c.job_id = j.id and j.result_expired_at is null",
            );
        }
        sql.push(" where j.caller_id = ").push_bind(caller_id);
        if let Some(tag) = tag {
            sql.push(" and t.caller_id = ").push_bind(caller_id);
            sql.push(" and t.tag = ").push_bind(tag.clone());
        }
        if tags.len() > 1 {
            sql.push(" and j.tags @> ").push_bind(tags[1..].to_vec());
        }
        push_states(sql, states, *completed);
        // In the order of its index.
        push_equal(sql, "external_id collate \"C\"", external_id.as_deref());
        push_equal(sql, "language", language.as_deref());
        if language.as_ref().is_some_and(|language| language != "en-US") {
            sql.push(" and j.language <> 'en-US'");
        }
        push_equal(sql, "audio_type", audio_type.as_deref());
        // The ids narrow the scan; the exact times decide.
        push_period(sql, "j.created_at", *created);
        for (operator, id) in created.ids() {
            self.push_id(sql, operator, id);
        }
        if let Some(speakers) = min_speakers {
            sql.push(" and c.speaker_count >= ").push_bind(i32::from(*speakers));
        }
        if !insights.is_empty() {
            sql.push(" and c.insight_names @> ").push_bind(insights.clone());
        }
        if !emotions.is_empty() {
            sql.push(" and c.emotions @> ").push_bind(emotions.clone());
        }
    }

    /// Pushes `and id <operator> <id>` for each table that may be read in the order of its ids.
    pub fn push_id(&self, sql: &mut QueryBuilder<Postgres>, operator: &'static str, id: JobId) {
        sql.push(" and j.id ").push(operator).push(" ").push_bind(id);
        if !self.tags.is_empty() {
            sql.push(" and t.job_id ").push(operator).push(" ").push_bind(id);
        }
    }
}

/// Literals here and for languages, where a partial index should be used: its condition must follow from the statement.
fn push_states(sql: &mut QueryBuilder<Postgres>, states: &[State], completed: Period) {
    if !states.is_empty() {
        if !states.contains(&State::Completed) {
            sql.push(" and (j.state <> 'completed') is true");
        }
        let names: Vec<&str> = states.iter().map(|state| state.name()).collect();
        sql.push(" and j.state = any(").push_bind(names).push(")");
    }
    if !completed.is_open() {
        sql.push(" and j.state = 'completed'");
        push_period(sql, "j.finished_at", completed);
    }
}

fn push_equal(sql: &mut QueryBuilder<Postgres>, column: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        sql.push(" and j.").push(column).push(" = ").push_bind(value.to_owned());
    }
}

fn push_period(sql: &mut QueryBuilder<Postgres>, column: &'static str, period: Period) {
    for (operator, moment) in [(" >= ", period.after), (" < ", period.before)] {
        if let Some(moment) = moment {
            sql.push(" and ").push(column).push(operator).push_bind(moment);
        }
    }
}

/// The smallest possible `UUIDv7` made at `at` (RFC 9562, section 5.7: it begins with 48 bits of Unix ms).
fn least_id_of(at: DateTime<Utc>) -> JobId {
    const MOST: i64 = (1 << 48) - 1;
    let millis = u128::try_from(at.timestamp_millis().clamp(0, MOST)).unwrap_or(0);
    Uuid::from_u128(millis << 80).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::{NoContext, Timestamp};

    use super::*;

    proptest! {
        #[test]
        fn ids_are_not_below_the_least_of_their_moment(millis in 0_i64..1 << 47) {
            let at = DateTime::from_timestamp_millis(millis).unwrap();
            let (seconds, nanos) = (at.timestamp().unsigned_abs(), at.timestamp_subsec_nanos());
            let made = JobId::from(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanos)));
            prop_assert!(least_id_of(at) <= made);
            prop_assert!(made < least_id_of(at + TimeDelta::milliseconds(1)));
        }
    }

    #[test]
    fn before_the_first_id_is_every_id() {
        assert_eq!(least_id_of(DateTime::from_timestamp_millis(-1).unwrap()), JobId::MIN);
    }
}
