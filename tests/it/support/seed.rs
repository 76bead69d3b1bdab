//! Many jobs at once, inserted as rows.
use sqlx::PgPool;

/// Inserts `jobs` jobs of the caller with this name, a minute apart, the newest created now. Of every ten in a row, one
/// is queued, one failed and the others are completed; each has an attempt and `utterances` utterances.
pub async fn seed(db: &PgPool, caller: &str, jobs: i32, utterances: i32) {
    let statement = "
        with moment as (
            select i, now() - make_interval(mins => $2 - i) as at from generate_series(1, $2) i
        ), job as (
            insert into aftercall.jobs (id, caller_id, external_id, tags, request, state,
                completed_via, due_at, created_at, deadline_at, finished_at)
            select (left(aftercall.uuid_floor(at)::text, 14) || '7'
                    || substr(gen_random_uuid()::text, 16))::uuid,
                (select id from aftercall.callers where name = $1), 'call-' || i,
                array['of-50-' || i % 50, 'of-2-' || i % 2],
                json_build_object('contentUri', 'https://media.example/?token=hush',
                    'encoding', 'Wav', 'languageCode', case i % 3 when 0 then 'en-GB' else 'en-US' end,
                    'audioType', case i % 5 when 0 then 'Meeting' else 'CallCenter' end),
                case i % 10 when 0 then 'queued' when 5 then 'failed' else 'completed' end,
                case when i % 5 > 0 then 'webhook' end, case i % 10 when 0 then at end, at,
                at + interval '1 day', case when i % 10 > 0 then at + interval '1 minute' end
            from moment
            returning id, state, created_at
        ), attempt as (
            insert into aftercall.attempts (job_id, number, token_sha)
            select id, 1, sha256(id::text::bytea) from job
        )
        insert into aftercall.utterances
            (job_id, seq, start_seconds, end_seconds, text, speaker_id, emotion)
        select id, seq, seq * 2.5, seq * 2.5 + 1.9, 'What is said, \"' || seq || '\"\n', seq % 2, 'Joy'
        from job, generate_series(0, $3 - 1) seq where state = 'completed'";
    sqlx::query(statement).bind(caller).bind(jobs).bind(utterances).execute(db).await.unwrap();
}
