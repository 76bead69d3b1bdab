-- Utterances come last: what an insert within `with` reads is sent to all nodes by Citus, and no result could be stored while
-- one of them is down.
with job as materialized (
    select id, caller_id, config, config::regconfig as parser, aftercall.search_scope(caller_id, config) as scope
    from aftercall.jobs
    cross join lateral aftercall.search_config(language) as config
    where id = any($7)
), known as (
    insert into aftercall.caller_configs
    select distinct caller_id, config from job
    where (caller_id, config) not in (select caller_id, config from aftercall.caller_configs)
    order by caller_id, config
    on conflict do nothing
), speaker as (
    insert into aftercall.speakers (job_id, speaker_id, utterance_count, word_count, talk_seconds)
    select * from unnest($18::uuid[], $19::text[], $20::int[], $21::int[], $22::float8[])
), speaker_insight as (
    insert into aftercall.speaker_insights (job_id, speaker_id, name, value, number, seq)
    select * from unnest($23::uuid[], $24::text[], $25::text[], $26::text[], $27::float8[]) with ordinality
), question as (
    insert into aftercall.questions (job_id, speaker_id, text, start_seconds, end_seconds, seq)
    select * from unnest($28::uuid[], $29::text[], $30::text[], $31::float8[], $32::float8[]) with ordinality
), conversation_insight as (
    insert into aftercall.conversation_insights (job_id, name, seq, value, start_seconds,
        end_seconds, confidence, speaker_id, extra)
    select i.job_id, i.name, i.seq, i.value, i.start_seconds,
        i.end_seconds, i.confidence, i.speaker_id, i.extra::json
    from unnest($33::uuid[], $34::text[], $35::int[], $36::text[], $37::float8[], $38::float8[],
            $39::float8[], $40::text[], $41::text[])
        as i (job_id, name, seq, value, start_seconds, end_seconds, confidence, speaker_id, extra)
), result as (
    insert into aftercall.results (job_id, document, document_sha, parser_version, is_partial, speaker_count)
    select * from unnest($1::uuid[], $2::text[], $3::bytea[], $4::int[], $5::bool[], $6::int[])
)
insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text,
    confidence, speaker_id, emotion, emotion_confidence, word_timings, fts)
select u.job_id, u.seq, u.start_seconds, u.end_seconds, u.text,
    u.confidence, u.speaker_id, u.emotion, u.emotion_confidence, u.word_timings::json,
    aftercall.utterance_fts(job.scope, job.parser, u.text)
from unnest($8::uuid[], $9::int[], $10::float8[], $11::float8[], $12::text[], $13::float8[],
        $14::text[], $15::text[], $16::float8[], $17::text[])
    as u (job_id, seq, start_seconds, end_seconds, text, confidence, speaker_id, emotion,
        emotion_confidence, word_timings)
join job on job.id = u.job_id
