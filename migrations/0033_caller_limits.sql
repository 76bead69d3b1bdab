-- Weights and quotas of callers, and the recordings of jobs: docs/decisions/031-callers.md.
set local lock_timeout = '5s';

alter table aftercall.callers
    -- Callers with due jobs get submissions in proportion to it.
    add column weight integer not null default 1,
    -- Submissions to the provider in a day and in a month (UTC); null: without a limit.
    add column daily_quota bigint,
    add column monthly_quota bigint,
    -- The start tag of the last submitted job. The next one of this caller is 1 / weight later, and the earliest tag of
    -- all callers goes first.
    add column turn_at double precision,
    -- The day of the last counted submission, and how many count in that day and in its month.
    add column counted_on date,
    add column used_on_day bigint not null default 0,
    add column used_in_month bigint not null default 0;
-- One row per app, checked in no time.
alter table aftercall.callers add constraint callers_weight_range check (weight between 1 and 1000) not valid;
alter table aftercall.callers add constraint callers_quotas_range check (
    coalesce(daily_quota, 1) between 1 and 1000000000 and coalesce(monthly_quota, 1) between 1 and 1000000000) not valid;

-- The day whose quota it uses up; null: it counts no longer, as it is known that the provider did not accept it.
alter table aftercall.attempts add column counted_on date;

-- SHA-256 of the caller, the recording and what is asked of the provider; null for a recording in the request, and in
-- jobs of earlier versions.
alter table aftercall.jobs add column recording_sha bytea;

-- The HTTP status of the stored response, which has three digits.
-- squawk-ignore prefer-bigint-over-smallint
alter table aftercall.idempotency_keys add column status smallint not null default 202;

-- When each caller is served next, and how much of its quotas is left.
create view aftercall.caller_turns as
select c.id as caller_id, c.name as caller, c.weight, c.last_served_at,
    -- A caller that was idle starts where the others are now: what it left to them is gone.
    greatest(c.turn_at + 1::double precision / c.weight, front.turn_at, 0) as next_turn,
    c.daily_quota, c.monthly_quota, used.today, used.on_day as used_on_day, used.in_month as used_in_month,
    left_over.of_day as daily_left, left_over.of_month as monthly_left,
    least(left_over.of_day, left_over.of_month) as quota_left
from aftercall.callers c
cross join (select max(turn_at) as turn_at from aftercall.callers) front
-- A transaction that began before midnight may come after one that began later.
cross join lateral (select greatest(c.counted_on, (now() at time zone 'UTC')::date) as today) day
cross join lateral (
    select day.today, case when c.counted_on = day.today then c.used_on_day else 0 end as on_day,
        case when date_trunc('month', c.counted_on::timestamp) = date_trunc('month', day.today::timestamp)
            then c.used_in_month else 0 end as in_month
) used
-- Null without a quota. A quota may have been lowered below what is used.
cross join lateral (
    select c.daily_quota - least(c.daily_quota, used.on_day) as of_day,
        c.monthly_quota - least(c.monthly_quota, used.in_month) as of_month
) left_over;

-- When the quotas of a caller let its nth queued job through; null where a quota is no obstacle.
create function aftercall.quota_resets_at(
    nth bigint, today date, daily_quota bigint, daily_left bigint, monthly_quota bigint, monthly_left bigint
) returns timestamptz
language sql immutable parallel safe
as $$
    select greatest(
        case when nth > daily_left
            then today + make_interval(days => ceil((nth - daily_left)::double precision / daily_quota)::integer)
        end,
        case when nth > monthly_left
            then date_trunc('month', today::timestamp)
                + make_interval(months => ceil((nth - monthly_left)::double precision / monthly_quota)::integer)
        end
    ) at time zone 'UTC'
$$;

-- Positions follow the weights, and jobs beyond a quota wait for its reset.
create or replace view reporting.queue_v1 as
select q.job_id, q.caller, q.created_at, q.due_at, q.deadline_at, q.position, e.eta_at, e.eta_at > q.deadline_at as is_late
from (
    select j.id as job_id, t.caller, j.created_at, j.due_at, j.deadline_at,
        row_number() over (order by j.due_at > now(), j.turn > coalesce(t.quota_left, j.turn),
            t.next_turn + (j.turn - 1)::double precision / t.weight, t.last_served_at nulls first, j.due_at, j.id) as position,
        aftercall.quota_resets_at(j.turn, t.today, t.daily_quota, t.daily_left, t.monthly_quota, t.monthly_left) as resets_at
    from aftercall.caller_turns t
    cross join lateral (
        select j.id, j.created_at, j.due_at, j.deadline_at, row_number() over (order by j.due_at, j.id) as turn
        from aftercall.jobs j
        where j.caller_id = t.caller_id and j.state = 'queued'
        order by j.due_at, j.id
        limit 1000
    ) j
) q
cross join aftercall.gate_now g
cross join lateral (
    select greatest(q.due_at, q.resets_at, coalesce(greatest(g.blocked_until, g.probe_at), now()) + make_interval(secs =>
        g.window_seconds / g.calls_limit
            * greatest(0, q.position - greatest(0, g.calls_limit - g.submissions_used - g.polls_used)))) as eta_at
) e
where g.rate_group = 'heavy';

create or replace view reporting.callers_v1 as
select c.name as caller, c.created_at, (
        select count(*) from aftercall.api_keys k
        where k.caller_id = c.id and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
    ) as active_keys,
    c.last_served_at as last_submitted_at,
    (select count(*) from aftercall.jobs j where j.caller_id = c.id and j.state = 'queued') as queued,
    coalesce(d.created, 0) as created_24h, coalesce(d.completed, 0) as completed_24h, coalesce(d.failed, 0) as failed_24h,
    coalesce(d.timed_out, 0) as timed_out_24h, coalesce(d.canceled, 0) as canceled_24h,
    (d.failed + d.timed_out)::double precision / nullif(d.ended, 0) as failed_share_24h,
    coalesce(d.attempts, 0) as submissions_24h, coalesce(d.refused, 0) as refused_submissions_24h,
    coalesce(d.attempts, 0)::double precision / nullif(sum(d.attempts) over (), 0)::double precision as gate_share_24h,
    t.weight, t.daily_quota, t.used_on_day as daily_used, t.monthly_quota, t.used_in_month as monthly_used
from aftercall.callers c
join aftercall.caller_turns t on t.caller_id = c.id
left join (
    select s.caller_id,
        coalesce(sum(s.counted) filter (where s.subject = 'job_created'), 0)::bigint as created,
        coalesce(sum(s.counted) filter (where s.subject = 'job_ended'), 0)::bigint as ended,
        coalesce(sum(s.counted) filter (where s.outcome = 'completed'), 0)::bigint as completed,
        coalesce(sum(s.counted) filter (where s.outcome = 'failed'), 0)::bigint as failed,
        coalesce(sum(s.counted) filter (where s.outcome = 'timed_out'), 0)::bigint as timed_out,
        coalesce(sum(s.counted) filter (where s.outcome = 'canceled'), 0)::bigint as canceled,
        coalesce(sum(s.counted) filter (where s.subject = 'attempt'), 0)::bigint as attempts,
        coalesce(sum(s.counted) filter (where s.subject = 'attempt' and s.outcome = 'refused'), 0)::bigint as refused
    from aftercall.exact_hours s
    where s.subject in ('job_created', 'job_ended', 'attempt') and s.hour > now() - interval '24 hours'
    group by s.caller_id
) d on d.caller_id = c.id;
comment on column reporting.callers_v1.weight is 'Callers with queued jobs are served in proportion to it';
comment on column reporting.callers_v1.daily_quota is 'Submissions to the provider allowed in a day (UTC); null without a limit';
comment on column reporting.callers_v1.daily_used is 'Submissions that count against it today';
comment on column reporting.callers_v1.monthly_quota is 'Submissions to the provider allowed in a month (UTC); null without a limit';
comment on column reporting.callers_v1.monthly_used is 'Submissions that count against it this month';
