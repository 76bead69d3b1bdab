-- no-transaction
-- For submissions with `dedupe`, which look for a job of the same recording. The hash includes the caller.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists jobs_by_recording on aftercall.jobs (recording_sha)
    where recording_sha is not null;
