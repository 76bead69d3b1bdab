-- no-transaction
-- 0057's index serves all that this one did.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
drop index concurrently if exists aftercall.jobs_external_id_prefix;
