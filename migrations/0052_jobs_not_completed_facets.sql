-- no-transaction
-- As jobs_not_completed, with what such jobs are counted by: 20,000 of them among a million are on as many pages of the
-- table, none of which has to be read now.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists jobs_not_completed_facets
    on aftercall.jobs (caller_id, id) include (state, language, audio_type)
    where (state <> 'completed') is true;
