-- Whoever stores a result knows everything that it adds to the statistics, and counts the completion with it. The
-- triggers read it back from all partitions before, which was most of the time of a completion. A transaction that
-- counts its completions sets `aftercall.completions_counted` to `on` before; the triggers count everything else, and
-- all completions of processes of the last version.
set local lock_timeout = '5s';

create or replace trigger jobs_counted after update on aftercall.jobs
    referencing old table as before new table as after
    for each statement
    when (current_setting('aftercall.completions_counted', true) is distinct from 'on')
    execute function aftercall.count_transitions();

create or replace trigger jobs_counted_when_ended after update on aftercall.jobs
    referencing old table as before new table as after
    for each statement
    when (current_setting('aftercall.completions_counted', true) is distinct from 'on')
    execute function aftercall.count_ends();

-- Beside completions that count themselves: the end that a late one takes back, and ends of any other kind.
create function aftercall.count_end_beside_completions() returns trigger
language plpgsql
as $$
begin
    if old.finished_at is not null then
        perform aftercall.count_jobs(array[old.id], array[old.state], array[-1]);
    end if;
    if new.finished_at is not null and new.state <> 'completed' then
        perform aftercall.count_jobs(array[new.id], array[new.state], array[1]);
    end if;
    insert into aftercall.hour_changes (subject, hour, caller_id, outcome, via, error_class, error_code, counted,
        total_ms)
    select 'job_ended', aftercall.hour_of(t.finished_at), t.caller_id, t.state, coalesce(t.completed_via, ''),
        coalesce(t.error ->> 'class', ''), coalesce(aftercall.error_code(t.error), ''), t.sign,
        t.sign * aftercall.ms_between(t.created_at, t.finished_at)
    from (
        values (new.caller_id, new.state, new.completed_via, new.error, new.created_at, new.finished_at, 1),
            (old.caller_id, old.state, old.completed_via, old.error, old.created_at, old.finished_at, -1)
    ) t (caller_id, state, completed_via, error, created_at, finished_at, sign)
    where t.finished_at is not null and t.state <> 'completed';
    return null;
end
$$;

create trigger jobs_counted_beside_completions after update on aftercall.jobs
    for each row
    when (
        current_setting('aftercall.completions_counted', true) = 'on' and old.state <> new.state
        and (old.finished_at is not null or new.finished_at is not null)
        and not (old.finished_at is null and new.state = 'completed')
    )
    execute function aftercall.count_end_beside_completions();

-- What `blame` found, in whole milliseconds that add up to those of the total.
create function aftercall.whole_ms(queued numeric, submitting numeric, upstream numeric, total numeric)
returns table (queued_ms bigint, submitting_ms bigint, upstream_ms bigint, commit_ms bigint)
language sql immutable parallel safe
as $$
    select floor(1000 * queued)::bigint,
        (floor(1000 * (queued + submitting)) - floor(1000 * queued))::bigint,
        (floor(1000 * (queued + submitting + upstream)) - floor(1000 * (queued + submitting)))::bigint,
        (floor(1000 * total) - floor(1000 * (queued + submitting + upstream)))::bigint
$$;

create or replace function aftercall.blame_ms(
    job uuid, created timestamptz, finished timestamptz, received timestamptz
) returns table (queued_ms bigint, submitting_ms bigint, upstream_ms bigint, commit_ms bigint)
language sql stable parallel safe
as $$
    select whole.*
    from aftercall.blame(job, created, finished, received) b
    cross join lateral aftercall.whole_ms(b.queued, b.submitting, b.upstream, b.total) whole
$$;
