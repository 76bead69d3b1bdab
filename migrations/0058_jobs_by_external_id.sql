-- no-transaction
-- 0057's index serves all that this one did. Replicas of an earlier release read more of the index for one external id
-- until they are replaced.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
drop index concurrently if exists aftercall.jobs_by_external_id;
