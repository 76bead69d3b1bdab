-- no-transaction
-- For suggestions: external ids that begin in a certain way. In the order of bytes, those are a range of the index,
-- whatever the collation of the database.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists jobs_external_id_prefix
    on aftercall.jobs (caller_id, external_id collate "C") where external_id is not null;
