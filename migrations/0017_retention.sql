-- Retention: docs/decisions/027-retention.md. The service has no rights but to change rows, so everything about
-- partitions is done by functions that run with the rights of the owner.
set local lock_timeout = '5s';

-- When the result of a completed job was deleted because of its age. From then on no statement shows what is left of
-- it, although its rows may go a moment later.
alter table aftercall.jobs add column result_expired_at timestamptz;
alter table aftercall.jobs add constraint jobs_only_results_expire
    check (result_expired_at is null or state = 'completed') not valid;

-- A further kind: result_expired. The constraint is replaced in the same transaction by one that allows more, and
-- validated by a migration of its own.
-- squawk-ignore ban-drop-constraint
alter table aftercall.job_events drop constraint job_events_kind_known;
alter table aftercall.job_events add constraint job_events_kind_known check (kind in
    ('queued', 'submitting', 'submitted', 'requeued', 'unconfirmed', 'abandoned', 'delivery', 'completed',
     'failed', 'timed_out', 'canceled', 'replayed', 'reparsed', 'speakers_named', 'result_expired')) not valid;

-- When a UUIDv7 was made.
create function aftercall.uuid_time(id uuid) returns timestamptz
language sql immutable strict parallel safe
as $$ select to_timestamp((('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint) / 1000.0) $$;

-- The partitions there are, and the months whose jobs they hold.
create view aftercall.monthly_partitions as
select i.inhparent as parent_oid, i.inhrelid as oid, p.relname as parent, c.relname as name,
    m.first at time zone 'UTC' as starts_at, (m.first + interval '1 month') at time zone 'UTC' as ends_at
from pg_inherits i
join pg_class p on p.oid = i.inhparent and p.relkind = 'p'
join pg_class c on c.oid = i.inhrelid
cross join lateral (
    select to_date(substring(c.relname from '_y(\d{4}m\d{2})$'), 'YYYY"m"MM')::timestamp as first
) m
where p.relnamespace = 'aftercall'::regnamespace and m.first is not null;

-- Creates one partition, unless it exists; returns whether it did not. It is created as a table and attached: that
-- takes no lock for which the statements of the service have to wait.
create function aftercall.create_partition(parent text, first timestamp) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    part text := parent || to_char(first, '_"y"YYYY"m"MM');
begin
    if to_regclass(format('aftercall.%I', part)) is not null then
        return false;
    end if;
    execute format(
        'create table aftercall.%I (like aftercall.%I
            including defaults including constraints including generated including storage including compression)',
        part, parent);
    execute format('alter table aftercall.%I attach partition aftercall.%I for values from (%L) to (%L)',
        parent, part, aftercall.uuid_floor(first at time zone 'UTC'),
        aftercall.uuid_floor((first + interval '1 month') at time zone 'UTC'));
    return true;
end
$$;

create or replace function aftercall.ensure_partitions(ahead integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    parent text;
    made   integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('aftercall.ensure_partitions'));
    for parent in
        select c.relname from pg_partitioned_table p
        join pg_class c on c.oid = p.partrelid
        where c.relnamespace = 'aftercall'::regnamespace
        order by c.relname
    loop
        for month in -1..ahead loop
            made := made + aftercall.create_partition(parent,
                date_trunc('month', now() at time zone 'UTC') + make_interval(months => month))::integer;
        end loop;
    end loop;
    return made;
end
$$;

-- Creates the partitions of the months of these jobs again where retention has dropped some, and keeps retention from
-- dropping them until the transaction ends. To be called before rows about jobs of any age are written. Ids of no job
-- create nothing, as anyone can make them up.
create function aftercall.ensure_partitions_of(ids uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    month  timestamp;
    parent text;
begin
    for month in
        select distinct date_trunc('month', aftercall.uuid_time(id) at time zone 'UTC')
        from aftercall.jobs where id = any(ids) order by 1
    loop
        perform pg_advisory_xact_lock_shared(hashtext('aftercall.month'), hashtext(to_char(month, 'YYYY-MM')));
        for parent in
            select c.relname from pg_partitioned_table p
            join pg_class c on c.oid = p.partrelid
            where c.relnamespace = 'aftercall'::regnamespace
              and to_regclass(format('aftercall.%I', c.relname || to_char(month, '_"y"YYYY"m"MM'))) is null
            order by c.relname
        loop
            perform pg_advisory_xact_lock(hashtext('aftercall.ensure_partitions'));
            perform aftercall.create_partition(parent, month);
        end loop;
    end loop;
end
$$;

-- Whether rows of a job may be deleted that ended before `cutoff`: it is final, and no token of it is valid any more
-- (they expire seven days after its deadline; one more day for transactions that began before).
create function aftercall.is_due(finished_at timestamptz, deadline_at timestamptz, cutoff timestamptz) returns boolean
language sql stable parallel safe
as $$ select coalesce(finished_at < cutoff, false) and deadline_at < now() - interval '8 days' $$;

-- Whether a month has jobs whose rows may not be deleted yet. With `with_results`, jobs with a result that has not been
-- marked as expired are among them.
create function aftercall.month_is_kept(
    starts_at timestamptz, ends_at timestamptz, cutoff timestamptz, with_results boolean) returns boolean
language sql stable
as $$
    select ends_at > cutoff or exists (
        select from aftercall.jobs j
        where j.id >= aftercall.uuid_floor(starts_at) and j.id < aftercall.uuid_floor(ends_at)
          and (not aftercall.is_due(j.finished_at, j.deadline_at, cutoff)
            or with_results and j.state = 'completed' and j.result_expired_at is null))
$$;

-- Detaches a partition all of whose jobs are due, and renames it, so that it can be counted and dropped while nothing
-- uses it. Returns 'detached', 'kept' (the month has other jobs), or 'busy': another process applies retention or
-- writes about these jobs, or the lock was not to be had at once. Statements about the parent wait behind that lock, so
-- it is given up after 30 ms; and the commit is not waited for, since the lock is held meanwhile. A detachment that a
-- crash takes back is repeated.
create function aftercall.detach_partition(parent text, part text, cutoff timestamptz) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '30ms'
as $$
declare
    month record;
begin
    if not pg_try_advisory_xact_lock(hashtext('aftercall.retention')) then
        return 'busy';
    end if;
    select m.name, m.starts_at, m.ends_at into month
    from aftercall.monthly_partitions m where m.parent = $1 and m.name = $2;
    if not found or not pg_try_advisory_xact_lock(hashtext('aftercall.month'),
        hashtext(to_char(month.starts_at at time zone 'UTC', 'YYYY-MM')))
    then
        return 'busy';
    end if;
    if aftercall.month_is_kept(
        month.starts_at, month.ends_at, cutoff, parent not in ('deliveries', 'job_events'))
    then
        return 'kept';
    end if;
    perform set_config('synchronous_commit', 'off', true);
    execute format('alter table aftercall.%I detach partition aftercall.%I', parent, part);
    execute format('alter table aftercall.%I rename to %I', part, part || '_detached');
    return 'detached';
exception when lock_not_available or deadlock_detected or duplicate_table then
    return 'busy';
end
$$;

-- The partitions that were detached and not dropped yet.
create function aftercall.detached_partitions() returns table (parent text, name text)
language sql stable
as $$
    select p.relname::text, c.relname::text
    from pg_class p
    join pg_class c on c.relnamespace = p.relnamespace and c.relkind = 'r' and not c.relispartition
        and c.relname ~ ('^' || p.relname || '_y\d{4}m\d{2}_detached$')
    where p.relnamespace = 'aftercall'::regnamespace and p.relkind = 'p'
    order by 2
$$;

-- Drops a detached partition; returns how many rows it had, or null if another process is using it.
create function aftercall.drop_detached(name text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s'
as $$
declare
    rows bigint;
begin
    if not exists (select from aftercall.detached_partitions() d where d.name = $1) then
        return null;
    end if;
    if not pg_try_advisory_xact_lock(hashtext('aftercall.retention')) then
        return null;
    end if;
    execute format('select count(*) from aftercall.%I', name) into rows;
    execute format('drop table aftercall.%I', name);
    return rows;
exception when lock_not_available or undefined_table then
    return null;
end
$$;

revoke execute on function aftercall.create_partition(text, timestamp), aftercall.ensure_partitions_of(uuid[]),
    aftercall.detach_partition(text, text, timestamptz), aftercall.drop_detached(text) from public;

-- A change that concerns only the sums of insight values: they are words that were said, and go with the results they
-- come from, while all other sums stay (docs/decisions/027-retention.md).
alter table aftercall.stat_changes add column texts_only boolean not null default false;

create or replace function aftercall.stat_cells(change aftercall.stat_changes) returns table (
    dimension text, name text, value text, language text, audio_type text, completed bigint,
    failed bigint, timed_out bigint, canceled bigint, utterances bigint, words bigint,
    questions bigint, interruptions bigint, duration_ms bigint, talk_ms bigint, silence_ms bigint,
    overlap_ms bigint, turnaround_ms bigint)
language sql immutable
as $$
    select cell.*, change.completed, change.failed, change.timed_out, change.canceled,
        change.utterances, change.words, change.questions, change.interruptions, change.duration_ms,
        change.talk_ms, change.silence_ms, change.overlap_ms, change.turnaround_ms
    from (
        select 'all', '', '', change.language, change.audio_type where not change.texts_only
        union all select 'tag', '', tag, '', '' from unnest(change.tags) tag
        union all select 'tag_detail', '', tag, change.language, change.audio_type
        from unnest(change.tags) tag
        union all select 'insight', i.name, i.value, '', ''
        from unnest(change.insight_names, change.insight_values) as i (name, value)
    ) cell
    union all
    select 'emotion', '', e.emotion, change.language, change.audio_type, change.completed, 0, 0, 0,
        change.completed * e.utterances, 0, 0, 0, 0, change.completed * e.ms, 0, 0, 0
    from unnest(change.emotions, change.emotion_utterances, change.emotion_ms)
        as e (emotion, utterances, ms)
$$;

-- Takes back that the insight values of these jobs were counted. To be called while their insights are still there, and
-- before they are marked as expired. Planned like aftercall.count_jobs.
create function aftercall.uncount_texts(jobs uuid[]) returns void
language plpgsql set jit = off set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    insert into aftercall.stat_changes (caller_id, day, language, audio_type, tags, emotions,
        emotion_utterances, emotion_ms, insight_names, insight_values, completed, failed, timed_out,
        canceled, utterances, words, questions, interruptions, duration_ms, talk_ms, silence_ms,
        overlap_ms, turnaround_ms, texts_only)
    select j.caller_id, (j.created_at at time zone 'UTC')::date, '', '', '{}', '{}', '{}', '{}', i.names, i.values,
        -1, 0, 0, 0, -c.utterances, -c.words, -c.questions, -c.interruptions, -c.duration_ms, -c.talk_ms,
        -c.silence_ms, -c.overlap_ms, -floor(extract(epoch from j.finished_at - j.created_at) * 1000)::bigint, true
    from aftercall.jobs j
    join aftercall.conversations c on c.job_id = j.id
    join (
        select v.job_id, array_agg(v.name) as names, array_agg(v.value) as values
        from (
            select distinct i.job_id, i.name, i.value
            from aftercall.conversation_insights i
            where i.job_id = any(jobs) and length(i.name) <= 80 and length(i.value) <= 80
        ) v
        group by v.job_id
    ) i on i.job_id = j.id
    where j.id = any(jobs) and j.state = 'completed' and j.result_expired_at is null;
end
$$;
