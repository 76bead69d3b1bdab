-- What each write of a job paid for and nobody needed.
set local lock_timeout = '5s';

-- Only traces made or parsed by Aftercall are stored, always of this length. The regular expression that said so took
-- microseconds of every insert and every update of a job.
-- squawk-ignore ban-drop-constraint
alter table aftercall.jobs drop constraint jobs_trace_context_is_w3c;
alter table aftercall.jobs add constraint jobs_trace_context_length
    check (octet_length(trace_context) = 55) not valid;

-- A foreign key locks the caller's row for every job. With several jobs of a caller at a time, these locks are members of
-- a new multixact each, which is written to the log and takes as long as another index. Submissions name the caller
-- whose key they came with, so the key protected only against the deletion of callers, which is forbidden at its root.
-- squawk-ignore ban-drop-constraint
alter table aftercall.jobs drop constraint jobs_caller;
-- squawk-ignore ban-drop-constraint
alter table aftercall.idempotency_keys drop constraint idempotency_keys_caller;

create function aftercall.keep_callers() returns trigger
    language plpgsql as $$
begin
    raise exception 'callers are kept, as jobs name them; revoke their keys instead'
        using errcode = 'restrict_violation';
end
$$;
create trigger callers_are_kept before delete or truncate on aftercall.callers
    for each statement execute function aftercall.keep_callers();
