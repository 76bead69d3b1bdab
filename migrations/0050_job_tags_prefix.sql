-- no-transaction
-- For suggestions, as 0049.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists job_tags_prefix on aftercall.job_tags (caller_id, tag collate "C");
