-- no-transaction
-- For rotating keys and deleting URLs. Few jobs have a sealed URL: it goes when they complete.
-- It blocks no one while it waits for a lock.
-- squawk-ignore require-lock-timeout
create index concurrently if not exists jobs_sealed on aftercall.jobs (id) where content_uri_sealed <> '';
