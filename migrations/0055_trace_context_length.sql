-- Apart from the migration that adds this constraint, as this reads all rows; it takes no lock that stops writers.
set local lock_timeout = '5s';
alter table aftercall.jobs validate constraint jobs_trace_context_length;
