-- no-transaction
-- What can happen to a job: the kinds of src/jobs/kind.rs, and no others. Two transactions, so that events are
-- written while those of the past are looked through.
begin;
alter table aftercall.job_events drop constraint if exists job_events_kind_known;
alter table aftercall.job_events add constraint job_events_kind_known check (kind in
    ('queued', 'submitting', 'submitted', 'requeued', 'unconfirmed', 'abandoned', 'delivery', 'completed',
     'failed', 'timed_out', 'canceled', 'replayed', 'reparsed', 'speakers_named')) not valid;
commit;
alter table aftercall.job_events validate constraint job_events_kind_known;
