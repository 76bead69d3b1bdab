-- Nearly every insert is of one job, for which a trigger per statement, with its table of new rows and its grouping, cost
-- a quarter of the statement. Jobs loaded by COPY are counted as well.
set local lock_timeout = '5s';

create function aftercall.count_new_job() returns trigger
language plpgsql
as $$
begin
    insert into aftercall.hour_changes (subject, hour, caller_id, counted)
    values ('job_created', aftercall.hour_of(new.created_at), new.caller_id, 1);
    if new.finished_at is not null then
        insert into aftercall.hour_changes (subject, hour, caller_id, outcome, via, error_class, error_code, counted,
            total_ms)
        values ('job_ended', aftercall.hour_of(new.finished_at), new.caller_id, new.state,
            coalesce(new.completed_via, ''), coalesce(new.error ->> 'class', ''),
            coalesce(aftercall.error_code(new.error), ''), 1,
            aftercall.ms_between(new.created_at, new.finished_at));
    end if;
    return null;
end
$$;
drop trigger jobs_counted_when_created on aftercall.jobs;
create trigger jobs_counted_when_created after insert on aftercall.jobs
    for each row execute function aftercall.count_new_job();
drop function aftercall.count_new_jobs();
