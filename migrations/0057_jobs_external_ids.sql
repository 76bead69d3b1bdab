-- no-transaction
-- For one external id and for all that begin in a certain way, which are a range of the index in the order of bytes,
-- whatever the collation of the database. It takes the place of two indexes, each of which every write of a job paid for.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists jobs_external_ids
    on aftercall.jobs (caller_id, external_id collate "C", id) where external_id is not null;
