//! The statements of a search, put together of the filters that are given.
use chrono::{DateTime, TimeDelta};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Place, Range, Scope, Words};

type Sql = QueryBuilder<Postgres>;

/// How far the time in a job's id, which its maker's clock gave, may be from its `created_at`.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

/// Reads the newest `stride` utterances of the range and returns those that match, and the last.
pub fn push_stride(
    sql: &mut Sql,
    caller_id: Uuid,
    words: &Words,
    scope: &Scope,
    range: Range,
    stride: i64,
) {
    sql.push("select job_id, seq, case when is_match then ts_rank_cd(fts, ");
    push_query(sql, &words.plain);
    sql.push(", 1) end as rank, number = ").push_bind(stride).push(
        " as is_last from (select u.job_id, u.seq, u.fts,
            row_number() over (order by u.job_id desc, u.seq desc) as number, u.fts @@ ",
    );
    push_query(sql, &words.scoped);
    push_utterance_filters(sql, scope);
    sql.push(
        " as is_match from aftercall.jobs j join aftercall.utterances u on u.job_id = j.id where ",
    );
    push_job_filters(sql, caller_id, scope);
    push_ids(sql, "j.id", scope, range);
    push_range(sql, scope, range);
    sql.push(" order by u.job_id desc, u.seq desc limit ").push_bind(stride);
    sql.push(") read where is_match or number = ").push_bind(stride);
    sql.push(" order by job_id desc, seq desc");
}

/// Finds the matches of the range in the index of words, and returns the newest `most`.
pub fn push_indexed(
    sql: &mut Sql,
    caller_id: Uuid,
    words: &Words,
    scope: &Scope,
    range: Range,
    most: i64,
) {
    sql.push(
        "with found as materialized (
            select u.job_id, u.seq, u.fts from aftercall.utterances u where u.fts @@ ",
    );
    push_query(sql, &words.scoped);
    push_utterance_filters(sql, scope);
    push_range(sql, scope, range);
    sql.push(") select job_id, seq, ts_rank_cd(fts, ");
    push_query(sql, &words.plain);
    sql.push(
        ", 1) as rank from (
            select f.* from (select * from found order by job_id desc, seq desc) f
            cross join lateral (select from aftercall.jobs j where j.id = f.job_id and ",
    );
    push_job_filters(sql, caller_id, scope);
    sql.push(" limit 1) j order by f.job_id desc, f.seq desc limit ").push_bind(most);
    sql.push(") newest order by job_id desc, seq desc");
}

/// Reads what is shown of the utterances at these places, in their order.
pub fn push_hits(sql: &mut Sql, caller_id: Uuid, words: &Words, places: &[Place]) {
    sql.push(
        "select u.job_id, u.seq, j.external_id, u.start_seconds, u.end_seconds, u.speaker_id,
            n.name as speaker, u.emotion, u.text, aftercall.search_snippet(
                aftercall.search_config(j.request ->> 'languageCode'), u.text, ",
    );
    push_query(sql, &words.plain);
    sql.push(") as snippet from unnest(");
    sql.push_bind(places.iter().map(|place| place.job_id).collect::<Vec<_>>());
    sql.push("::uuid[], ").push_bind(places.iter().map(|place| place.seq).collect::<Vec<_>>());
    sql.push(
        "::int[]) with ordinality as p (job_id, seq, number)
        join aftercall.jobs j on j.id = p.job_id and j.caller_id = ",
    );
    sql.push_bind(caller_id).push(
        " join aftercall.utterances u on u.job_id = p.job_id and u.seq = p.seq
        left join aftercall.speaker_names n
            on n.job_id = u.job_id and n.speaker_id = u.speaker_id
        order by p.number",
    );
}

fn push_query(sql: &mut Sql, text: &str) {
    sql.push_bind(text.to_owned()).push("::text::tsquery");
}

/// Each begins with `and`.
fn push_utterance_filters(sql: &mut Sql, scope: &Scope) {
    if let Some(emotion) = &scope.emotion {
        sql.push(" and u.emotion = ").push_bind(emotion.clone());
    }
    if let Some(speaker) = &scope.speaker {
        sql.push(" and (u.speaker_id = ").push_bind(speaker.clone()).push(
            " or exists (select from aftercall.speaker_names n
                where n.job_id = u.job_id and n.speaker_id = u.speaker_id and n.name = ",
        );
        sql.push_bind(speaker.clone()).push("))");
    }
}

fn push_job_filters(sql: &mut Sql, caller_id: Uuid, scope: &Scope) {
    sql.push("j.state = 'completed' and j.caller_id = ").push_bind(caller_id);
    if let Some(after) = scope.created_after {
        sql.push(" and j.created_at >= ").push_bind(after);
    }
    if let Some(before) = scope.created_before {
        sql.push(" and j.created_at < ").push_bind(before);
    }
    if !scope.tags.is_empty() {
        sql.push(" and j.tags @> ").push_bind(scope.tags.clone());
    }
    if let Some(external_id) = &scope.external_id {
        sql.push(" and j.external_id = ").push_bind(external_id.clone());
    }
    for (member, value) in [("languageCode", &scope.language), ("audioType", &scope.audio_type)] {
        if let Some(value) = value {
            sql.push(format_args!(" and j.request ->> '{member}' = ")).push_bind(value.clone());
        }
    }
}

/// The bounds of jobs' ids, which tell where to begin and which months matter. Each begins with
/// `and`.
fn push_ids(sql: &mut Sql, column: &str, scope: &Scope, range: Range) {
    for (at, comparison) in [(range.from, ">="), (range.before, "<=")] {
        let Some(Place { job_id, .. }) = at else { continue };
        sql.push(format_args!(" and {column} {comparison} ")).push_bind(job_id);
    }
    let after = scope.created_after.and_then(|at| at.checked_sub_signed(CLOCKS_DIFFER));
    let before = scope.created_before.and_then(|at| at.checked_add_signed(CLOCKS_DIFFER));
    for (at, comparison) in [(after, ">="), (before, "<")] {
        let Some(at) = at.map(|at| at.max(DateTime::UNIX_EPOCH)) else { continue };
        sql.push(format_args!(" and {column} {comparison} aftercall.uuid_floor(")).push_bind(at);
        sql.push(")");
    }
    if let Some(job_id) = scope.job_id {
        sql.push(format_args!(" and {column} = ")).push_bind(job_id);
    }
}

/// Each begins with `and`.
fn push_range(sql: &mut Sql, scope: &Scope, range: Range) {
    push_ids(sql, "u.job_id", scope, range);
    for (at, comparison) in [(range.from, ">="), (range.before, "<")] {
        let Some(Place { job_id, seq }) = at else { continue };
        sql.push(format_args!(" and (u.job_id, u.seq) {comparison} (")).push_bind(job_id);
        sql.push(", ").push_bind(seq).push(")");
    }
}
