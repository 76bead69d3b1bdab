-- What happened, by the hour: the views of long ranges read these sums. Kept as docs/decisions/013-statistics.md
-- describes: the transaction that does something also inserts a change, and changes are added to the sums later.
-- Unlike those statistics, these sums keep what is deleted: they say what happened, not what there is.
set local lock_timeout = '5s';

create table aftercall.hour_changes (
    id            bigint      not null generated always as identity constraint hour_changes_pkey primary key,
    -- job_created, job_ended, attempt (that has an outcome) or delivery.
    subject       text        not null,
    -- Of creation, of the end, of the start of the attempt, of the receipt.
    hour          timestamptz not null,
    -- All zeros for deliveries.
    caller_id     uuid        not null,
    -- State of the job, outcome of the attempt or delivery; empty for created jobs.
    outcome       text        not null default '',
    -- Of completed jobs and of deliveries.
    via           text        not null default '',
    -- Of failed and timed-out jobs.
    error_class   text        not null default '',
    error_code    text        not null default '',
    -- Negative where something is taken back: a job that is retried, or completed after its end, ended differently.
    counted       bigint      not null,
    -- Bodies of deliveries.
    bytes         bigint      not null default 0,
    -- Parts of the time of completed jobs.
    queued_ms     bigint      not null default 0,
    submitting_ms bigint      not null default 0,
    upstream_ms   bigint      not null default 0,
    -- Also of deliveries.
    commit_ms     bigint      not null default 0,
    -- Of ended jobs from creation to end; of attempts until the response.
    total_ms      bigint      not null default 0
)
-- Rows live for seconds.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);

create table aftercall.hour_sums (
    subject       text        collate "C" not null,
    hour          timestamptz not null,
    caller_id     uuid        not null,
    outcome       text        collate "C" not null,
    via           text        collate "C" not null,
    error_class   text        collate "C" not null,
    error_code    text        collate "C" not null,
    counted       bigint      not null,
    bytes         bigint      not null,
    queued_ms     bigint      not null,
    submitting_ms bigint      not null,
    upstream_ms   bigint      not null,
    commit_ms     bigint      not null,
    total_ms      bigint      not null,
    constraint hour_sums_pkey primary key (subject, hour, caller_id, outcome, via, error_class, error_code)
) with (fillfactor = 70);

-- The sums as they are now.
create view aftercall.exact_hours as
select subject, hour, caller_id, outcome, via, error_class, error_code, counted, bytes, queued_ms, submitting_ms,
    upstream_ms, commit_ms, total_ms
from aftercall.hour_sums
union all
select subject collate "C", hour, caller_id, outcome collate "C", via collate "C", error_class collate "C",
    error_code collate "C", counted, bytes, queued_ms, submitting_ms, upstream_ms, commit_ms, total_ms
from aftercall.hour_changes;

-- Adds up to `most` changes to the sums, oldest first; returns how many there were. Several sessions may do so at once:
-- they take different changes, and lock the sums in the order of their key.
create function aftercall.merge_hour_changes(most integer) returns integer
language plpgsql set jit = off
as $$
declare
    taken integer;
begin
    with due as (
        select id from aftercall.hour_changes order by id limit most for update skip locked
    ), gone as (
        delete from aftercall.hour_changes c using due where c.id = due.id returning c.*
    ), added as (
        insert into aftercall.hour_sums as s
        select subject, hour, caller_id, outcome, via, error_class, error_code, sum(counted), sum(bytes),
            sum(queued_ms), sum(submitting_ms), sum(upstream_ms), sum(commit_ms), sum(total_ms)
        from gone
        group by 1, 2, 3, 4, 5, 6, 7
        order by 1, 2, 3, 4, 5, 6, 7
        on conflict on constraint hour_sums_pkey do update set
            counted = s.counted + excluded.counted, bytes = s.bytes + excluded.bytes,
            queued_ms = s.queued_ms + excluded.queued_ms,
            submitting_ms = s.submitting_ms + excluded.submitting_ms,
            upstream_ms = s.upstream_ms + excluded.upstream_ms,
            commit_ms = s.commit_ms + excluded.commit_ms, total_ms = s.total_ms + excluded.total_ms
    )
    select count(*) into taken from gone;
    return taken;
end
$$;

create function aftercall.hour_of(at timestamptz) returns timestamptz
language sql immutable parallel safe
as $$ select date_trunc('hour', at at time zone 'UTC') at time zone 'UTC' $$;

-- Whole milliseconds, rounded down.
create function aftercall.ms_between(since timestamptz, until timestamptz) returns bigint
language sql immutable parallel safe
as $$ select floor(extract(epoch from until - since) * 1000)::bigint $$;

-- Class and code of a job's error, as they are counted and shown: a code is the provider's, of any length.
create function aftercall.error_code(error json) returns text
language sql immutable parallel safe
as $$ select left(error ->> 'code', 80) $$;

-- Where the time of a finished job went, in whole milliseconds; the parts add up to the time from creation to end.
create function aftercall.blame_ms(job uuid, created timestamptz, finished timestamptz, received timestamptz)
returns table (queued_ms bigint, submitting_ms bigint, upstream_ms bigint, commit_ms bigint)
language sql stable parallel safe
as $$
    select floor(1000 * b.queued)::bigint,
        (floor(1000 * (b.queued + b.submitting)) - floor(1000 * b.queued))::bigint,
        (floor(1000 * (b.queued + b.submitting + b.upstream)) - floor(1000 * (b.queued + b.submitting)))::bigint,
        (floor(1000 * b.total) - floor(1000 * (b.queued + b.submitting + b.upstream)))::bigint
    from aftercall.blame(job, created, finished, received) b
$$;

create function aftercall.count_new_jobs() returns trigger
language plpgsql
as $$
begin
    insert into aftercall.hour_changes (subject, hour, caller_id, counted)
    select 'job_created', aftercall.hour_of(created_at), caller_id, count(*)
    from added
    group by 2, 3;
    -- Loaded by COPY, for example.
    insert into aftercall.hour_changes (subject, hour, caller_id, outcome, via, error_class, error_code, counted,
        total_ms)
    select 'job_ended', aftercall.hour_of(finished_at), caller_id, state, coalesce(completed_via, ''),
        coalesce(error ->> 'class', ''), coalesce(aftercall.error_code(error), ''), count(*),
        sum(aftercall.ms_between(created_at, finished_at))
    from added
    where finished_at is not null
    group by 2, 3, 4, 5, 6, 7;
    return null;
end
$$;
create trigger jobs_counted_when_created after insert on aftercall.jobs
    referencing new table as added
    for each statement execute function aftercall.count_new_jobs();

-- Every transition is counted, whichever statement makes it.
create function aftercall.count_ends() returns trigger
language plpgsql
as $$
begin
    insert into aftercall.hour_changes (subject, hour, caller_id, outcome, via, error_class, error_code, counted,
        queued_ms, submitting_ms, upstream_ms, commit_ms, total_ms)
    select 'job_ended', aftercall.hour_of(t.finished_at), t.caller_id, t.state, coalesce(t.completed_via, ''),
        coalesce(t.error ->> 'class', ''), coalesce(aftercall.error_code(t.error), ''), sum(t.sign),
        coalesce(sum(b.queued_ms), 0), coalesce(sum(b.submitting_ms), 0), coalesce(sum(b.upstream_ms), 0),
        coalesce(sum(b.commit_ms), 0), sum(t.sign * aftercall.ms_between(t.created_at, t.finished_at))
    from (
        select n.id, n.caller_id, n.state, n.completed_via, n.error, n.created_at, n.finished_at,
            n.result_received_at, 1 as sign
        from before o join after n on n.id = o.id
        where n.finished_at is not null and n.state <> o.state
        union all
        select o.id, o.caller_id, o.state, o.completed_via, o.error, o.created_at, o.finished_at,
            o.result_received_at, -1
        from before o join after n on n.id = o.id
        where o.finished_at is not null and n.state <> o.state
    ) t
    -- A completed job never leaves its state, so its parts are never taken back.
    left join lateral aftercall.blame_ms(t.id, t.created_at, t.finished_at, t.result_received_at) b
        on t.state = 'completed'
    group by 2, 3, 4, 5, 6, 7;
    return null;
end
$$;
create trigger jobs_counted_when_ended after update on aftercall.jobs
    referencing old table as before new table as after
    for each statement execute function aftercall.count_ends();

create function aftercall.count_attempt() returns trigger
language plpgsql
as $$
begin
    insert into aftercall.hour_changes (subject, hour, caller_id, outcome, counted, total_ms)
    select 'attempt', aftercall.hour_of(t.created_at), j.caller_id, t.outcome, t.sign,
        t.sign * coalesce(aftercall.ms_between(t.created_at, t.answered_at), 0)
    from (values
        (new.outcome, new.created_at, new.answered_at, 1),
        -- Null for an insert.
        (coalesce(old.outcome, 'open'), new.created_at, old.answered_at, -1)
    ) as t (outcome, created_at, answered_at, sign)
    join aftercall.jobs j on j.id = new.job_id
    where t.outcome <> 'open';
    return null;
end
$$;
create trigger attempts_counted after insert on aftercall.attempts
    for each row when (new.outcome <> 'open') execute function aftercall.count_attempt();
create trigger attempts_counted_when_answered after update on aftercall.attempts
    for each row when (old.outcome <> new.outcome) execute function aftercall.count_attempt();

-- The time from the arrival of the delivery to the transaction that stored it; null where it was not recorded.
alter table aftercall.deliveries add column commit_ms integer;

-- Settings that views need, written by the service when it starts: durations in seconds, null for "off".
create table aftercall.published_settings (
    name       text        not null constraint published_settings_pkey primary key,
    value      double precision,
    updated_at timestamptz not null default now()
);
