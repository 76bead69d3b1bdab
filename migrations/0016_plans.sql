-- For lists alone. Statements that change jobs of certain states, by their ids, must not take it for a
-- way to them: while Postgres does not know how many wait, it would read them all. Its condition
-- follows from none but its own words.
drop index aftercall.jobs_not_completed;
create index jobs_not_completed on aftercall.jobs (caller_id, id)
    where (state <> 'completed') is true;

-- They are planned once a session, perhaps while a month is still empty: what is best then, to read it
-- all, would be done until somebody analyses the tables.
alter function aftercall.store_conversations(uuid[]) set enable_seqscan = off;
alter function aftercall.count_jobs(uuid[], text[], integer[]) set enable_seqscan = off;
