-- no-transaction
-- For dashboards, which look at jobs of all callers by time. Its entries are never looked at again by other statements:
-- those name jobs by id or by caller.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists jobs_by_creation on aftercall.jobs (created_at);
