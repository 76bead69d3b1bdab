-- Several accounts at the provider, each with its own credentials, limit and gate.
set local lock_timeout = '5s';

alter table aftercall.provider_gate
    -- What the worker that started last has configured; null for `default`, whose are `published_settings`.
    add column configured_limit integer,
    add column window_seconds double precision,
    add column is_configured boolean not null default true,
    -- Not valid: `default` is the only row yet.
    add constraint provider_gate_group_of_account
        check (rate_group = case account when 'default' then 'heavy' else 'heavy/' || account end) not valid;

-- Whose credentials submitted it, and so who can ask for its result.
alter table aftercall.attempts add column account text not null default 'default';

create or replace view aftercall.gate_now as
select g.rate_group, g.limit_seen, s.configured_limit, s.window_seconds,
    greatest(1, least(s.configured_limit, coalesce(g.limit_seen, s.configured_limit))) as calls_limit,
    (g.calls_total - g.polls_total - past.calls + past.polls)::integer as submissions_used,
    (g.polls_total - past.polls)::integer as polls_used,
    case when g.blocked_until > now() then g.blocked_until end as blocked_until,
    g.refused_since, g.refused_class, g.refused_status, g.refused_code, g.probe_at, g.account
from aftercall.provider_gate g
cross join (
    select coalesce(max(value) filter (where name = 'provider.gate.limit'), 10)::integer as configured_limit,
        coalesce(max(value) filter (where name = 'provider.gate.window'), 60) as window_seconds
    from aftercall.published_settings
) p
cross join lateral (
    select coalesce(g.configured_limit, p.configured_limit) as configured_limit,
        coalesce(g.window_seconds, p.window_seconds) as window_seconds
) s
cross join lateral aftercall.calls_until(g.account, now() - make_interval(secs => s.window_seconds)) past
where g.is_configured;

-- All accounts as one: those that may be called, or all while none may.
create view aftercall.gates_now as
select min(starts_at) as starts_at, sum(greatest(0, calls_limit - submissions_used - polls_used)) as calls_free,
    sum(calls_limit / window_seconds) as calls_a_second
from (
    select *, rank() over (order by coalesce(starts_at > now(), false)) as turn
    from (select *, greatest(blocked_until, probe_at) as starts_at from aftercall.gate_now) gate
) ranked
where turn = 1;

create or replace view reporting.provider_gate_v1 as
select rate_group, calls_limit, configured_limit, limit_seen as seen_limit, window_seconds, submissions_used, polls_used,
    submissions_used + polls_used as calls_used,
    greatest(0, calls_limit - submissions_used - polls_used) as calls_free,
    least(1, (submissions_used + polls_used)::double precision / calls_limit) as used_share, blocked_until,
    coalesce(extract(epoch from blocked_until - now()), 0)::double precision as penalty_seconds, refused_since,
    coalesce(extract(epoch from now() - refused_since), 0)::double precision as refused_seconds, refused_class,
    refused_status, refused_code, probe_at as next_probe_at, account
from aftercall.gate_now;
comment on view reporting.provider_gate_v1 is 'One row for each account at the provider: how often it may be called, and whether it lets us';
comment on column reporting.provider_gate_v1.rate_group is 'The provider''s name of the group, followed by /NAME for an account other than default';
comment on column reporting.provider_gate_v1.account is 'default, or the NAME of provider.accounts.NAME';

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
cross join aftercall.gates_now g
cross join lateral (
    select greatest(q.due_at, q.resets_at, coalesce(g.starts_at, now()) + make_interval(secs =>
        greatest(0, q.position - g.calls_free) / g.calls_a_second)) as eta_at
) e;

create or replace view reporting.queue_summary_v1 as
select q.queued, q.due, q.oldest_created_at,
    coalesce(extract(epoch from now() - q.oldest_created_at), 0)::double precision as oldest_seconds, e.last_eta_at,
    greatest(0, coalesce(extract(epoch from e.last_eta_at - now()), 0))::double precision as eta_seconds,
    q.next_deadline_at, (
        select count(*) from aftercall.jobs j
        where j.state = 'submitting' and j.lease_id is null
    ) as unconfirmed
from (
    select count(*) as queued, count(*) filter (where j.due_at <= now()) as due, min(j.created_at) as oldest_created_at,
        min(j.deadline_at) as next_deadline_at
    from aftercall.jobs j where j.state = 'queued'
) q
cross join lateral (
    select max(coalesce(g.starts_at, now()) + make_interval(secs =>
        greatest(0, q.queued - g.calls_free) / g.calls_a_second)) as last_eta_at
    from aftercall.gates_now g where q.queued > 0
) e;

create or replace view reporting.attempts_v1 as
select a.job_id, a.number, c.name as caller, a.created_at as started_at, a.answered_at, a.outcome,
    aftercall.ms_between(a.created_at, a.answered_at) as response_ms, a.error ->> 'class' as error_class,
    aftercall.error_code(a.error) as error_code, a.surplus, a.surplus_bytes, a.account
from aftercall.attempts a
left join aftercall.jobs j on j.id = a.job_id
left join aftercall.callers c on c.id = j.caller_id;
comment on column reporting.attempts_v1.account is 'The account at the provider that it was submitted with: default, or the NAME of provider.accounts.NAME';
