//! The statements of a search, built from the given filters.
use sqlx::{Postgres, QueryBuilder};

use super::{Match, Range, SearchScope, UtteranceKey, Words};
use crate::{callers::CallerId, jobs::JobFilter};

type Sql = QueryBuilder<Postgres>;

/// Scans the newest `stride` utterances of the range; returns the matches and the last utterance.
pub fn push_stride(
    sql: &mut Sql,
    caller_id: CallerId,
    words: &Words,
    scope: &SearchScope,
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
    sql.push(" as is_match from (select j.id");
    push_jobs(sql, caller_id, scope);
    for (operator, at) in [(">=", range.from), ("<=", range.before)] {
        let Some(UtteranceKey { job_id, .. }) = at else { continue };
        scope.jobs.push_id(sql, operator, job_id);
    }
    sql.push(") j join aftercall.utterances u on u.job_id = j.id where true");
    push_range(sql, scope, range);
    sql.push(" order by u.job_id desc, u.seq desc limit ").push_bind(stride);
    sql.push(") read where is_match or number = ").push_bind(stride);
    sql.push(" order by job_id desc, seq desc");
}

/// Finds the matches of the range through the index of words; returns the newest `most`.
pub fn push_indexed(
    sql: &mut Sql,
    caller_id: CallerId,
    words: &Words,
    scope: &SearchScope,
    range: Range,
    most: i64,
) {
    sql.push(
        "with found as materialized (
            select u.job_id, u.seq, u.fts from aftercall.utterances u where u.fts @@ ",
    );
    if words.owns_most {
        // Excluding other callers through the index takes longer than reading their rows. The operator's function does
        // not use the index.
        push_query(sql, &words.plain);
        sql.push(" and ts_match_vq(u.fts, ");
        push_query(sql, &words.scoped);
        sql.push(")");
    } else {
        push_query(sql, &words.scoped);
    }
    push_utterance_filters(sql, scope);
    push_range(sql, scope, range);
    sql.push(") select job_id, seq, ts_rank_cd(fts, ");
    push_query(sql, &words.plain);
    sql.push(
        ", 1) as rank from (
            select f.* from (select * from found order by job_id desc, seq desc) f",
    );
    // The caller is one of the words, and is checked again when hits are shown.
    if scope.jobs != JobFilter::default() {
        sql.push(" cross join lateral (select");
        push_jobs(sql, caller_id, scope);
        sql.push(" and j.id = f.job_id limit 1) j");
    }
    sql.push(" order by f.job_id desc, f.seq desc limit ").push_bind(most);
    sql.push(") newest order by job_id desc, seq desc");
}

/// Reads the details of those matches that are the caller's, in order.
pub fn push_hits(sql: &mut Sql, caller_id: CallerId, words: &Words, matches: &[Match]) {
    sql.push(
        "select m.rank, u.job_id, u.seq, j.external_id, j.created_at, u.start_seconds, u.end_seconds, u.speaker_id,
            n.name as speaker, u.emotion, u.text, aftercall.search_snippet(
                aftercall.search_config(j.request ->> 'languageCode'), u.text, ",
    );
    push_query(sql, &words.plain);
    sql.push(") as snippet from unnest(");
    let keys = || matches.iter().map(|found| found.key);
    sql.push_bind(keys().map(|key| key.job_id).collect::<Vec<_>>()).push("::uuid[], ");
    sql.push_bind(keys().map(|key| key.seq).collect::<Vec<_>>()).push("::int[], ");
    sql.push_bind(matches.iter().map(|found| found.rank).collect::<Vec<_>>());
    sql.push(
        "::real[]) with ordinality as m (job_id, seq, rank, number)
        join aftercall.jobs j on j.id = m.job_id and j.state = 'completed'
            and j.result_expired_at is null and j.caller_id = ",
    );
    sql.push_bind(caller_id).push(
        " join aftercall.utterances u on u.job_id = m.job_id and u.seq = m.seq
            and u.job_id between ",
    );
    // The bounds exclude other months' partitions.
    let job_ids = || keys().map(|key| key.job_id);
    sql.push_bind(job_ids().min()).push(" and ").push_bind(job_ids().max()).push(
        "
        left join aftercall.speaker_names n
            on n.job_id = u.job_id and n.speaker_id = u.speaker_id
        order by m.number",
    );
}

fn push_query(sql: &mut Sql, text: &str) {
    sql.push_bind(text.to_owned()).push("::text::tsquery");
}

/// Each condition begins with `and`.
fn push_utterance_filters(sql: &mut Sql, scope: &SearchScope) {
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

/// Pushes `from … where …`; more conditions may follow with `and`.
fn push_jobs(sql: &mut Sql, caller_id: CallerId, scope: &SearchScope) {
    scope.jobs.push(sql, caller_id);
    sql.push(" and j.state = 'completed' and j.result_expired_at is null");
    if let Some(job_id) = scope.job_id {
        scope.jobs.push_id(sql, "=", job_id);
    }
}

/// Each condition begins with `and`. Also pushes bounds of the ids, which select where to begin and which months to
/// read.
fn push_range(sql: &mut Sql, scope: &SearchScope, range: Range) {
    for (operator, of_job, at) in [(">=", ">=", range.from), ("<", "<=", range.before)] {
        let Some(UtteranceKey { job_id, seq }) = at else { continue };
        sql.push(format_args!(" and u.job_id {of_job} ")).push_bind(job_id);
        sql.push(format_args!(" and (u.job_id, u.seq) {operator} (")).push_bind(job_id);
        sql.push(", ").push_bind(seq).push(")");
    }
    let job_id = scope.job_id.map(|job_id| ("=", job_id));
    for (operator, job_id) in scope.jobs.created.ids().chain(job_id) {
        sql.push(format_args!(" and u.job_id {operator} ")).push_bind(job_id);
    }
}
