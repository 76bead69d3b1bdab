-- no-transaction
-- For dashboards, which look at attempts of all jobs by time.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists attempts_by_start on aftercall.attempts (created_at);
