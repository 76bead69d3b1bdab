-- Apart from the migration that adds these constraints, as this reads all rows; it takes no lock that stops writers.
set local lock_timeout = '5s';
alter table aftercall.job_events validate constraint job_events_kind_known;
alter table aftercall.jobs validate constraint jobs_only_results_expire;
