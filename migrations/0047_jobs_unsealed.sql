-- no-transaction
-- For sealing what an earlier release stored in the clear; empty once that is done.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists jobs_unsealed on aftercall.jobs (id)
    where content_uri_sealed is null and request ->> 'contentUri' ~ '[@?#]';
