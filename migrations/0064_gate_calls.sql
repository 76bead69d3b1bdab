-- The gate's calls move from arrays, which each claim rewrote as a whole, into rows with running totals: how many calls
-- a window of any length has is the difference of two totals.
set local lock_timeout = '5s';

create table aftercall.provider_calls (
    account     text        not null,
    -- When these calls were granted; rises with each row.
    made_at     timestamptz not null,
    -- All calls that the account was ever granted, up to and including these, and the status polls among them.
    calls_total bigint      not null,
    polls_total bigint      not null,
    constraint provider_calls_pkey primary key (account, made_at)
);

-- The row of the gate has the totals of the newest row in `provider_calls`.
alter table aftercall.provider_gate
    -- Whose credentials make the calls.
    add column account text not null default 'default',
    add column calls_total bigint not null default 0,
    add column polls_total bigint not null default 0,
    add column last_call_at timestamptz,
    -- How long rows are kept: the longest window of all processes.
    add column kept_secs double precision not null default 63,
    -- No older rows are left than this one.
    add column swept_to timestamptz not null default '-infinity';

insert into aftercall.provider_calls
select 'default', made_at, sum(calls) over (order by made_at), sum(polls) over (order by made_at)
from (
    select made_at, count(*) as calls, count(*) filter (where is_poll) as polls
    from aftercall.provider_gate g
    cross join lateral (
        select unnest(g.submissions), false union all select unnest(g.polls), true
    ) call (made_at, is_poll)
    where g.rate_group = 'heavy'
    group by made_at
) made;

update aftercall.provider_gate g set
    calls_total = coalesce(c.calls_total, 0), polls_total = coalesce(c.polls_total, 0), last_call_at = c.made_at,
    kept_secs = 1.05 * coalesce((select value from aftercall.published_settings where name = 'provider.gate.window'), 60)
from (values (1)) one
left join lateral (select * from aftercall.provider_calls order by made_at desc limit 1) c on true
where g.rate_group = 'heavy';

-- The totals at that time. Rows that the reader cannot see yet make the totals lower, and so the window look fuller.
create function aftercall.calls_until(of_account text, until timestamptz)
returns table (calls bigint, polls bigint) language sql stable as $$
    select coalesce(max(calls_total), 0), coalesce(max(polls_total), 0)
    from (
        select c.calls_total, c.polls_total from aftercall.provider_calls c
        where c.account = of_account and c.made_at <= until
        order by c.made_at desc limit 1
    ) last
$$;

-- Replicas of the previous release read and write the arrays, and this release never does. What they add or give back
-- is booked in `provider_calls`, and what they read are the calls of all.
create function aftercall.gate_arrays() returns trigger language plpgsql as $$
declare
    -- What this transaction adds, or gives back, is not older than it.
    added_polls bigint := (select count(*) from unnest(new.polls) made where made >= now())
        - (select count(*) from unnest(old.polls) made where made >= now());
    added bigint := added_polls + (select count(*) from unnest(new.submissions) made where made >= now())
        - (select count(*) from unnest(old.submissions) made where made >= now());
    oldest timestamptz := clock_timestamp() - make_interval(secs => new.kept_secs);
begin
    new.calls_total := old.calls_total + added;
    new.polls_total := old.polls_total + added_polls;
    if added > 0 then
        new.last_call_at := greatest(clock_timestamp(), old.last_call_at + interval '1 microsecond');
        insert into aftercall.provider_calls
        values (new.account, new.last_call_at, new.calls_total, new.polls_total);
    elsif added < 0 then
        update aftercall.provider_calls set calls_total = new.calls_total, polls_total = new.polls_total
        where account = new.account and made_at = new.last_call_at;
    end if;
    delete from aftercall.provider_calls where account = new.account and made_at < (
        select made_at from aftercall.provider_calls where account = new.account and made_at <= oldest
        order by made_at desc limit 1);
    select coalesce(array_agg(made_at) filter (where not is_poll), '{}'),
        coalesce(array_agg(made_at) filter (where is_poll), '{}')
    into new.submissions, new.polls
    from (
        select made_at, polls_total - coalesce(lag(polls_total) over (order by made_at), 0) as polls,
            calls_total - coalesce(lag(calls_total) over (order by made_at), 0) as calls
        from aftercall.provider_calls where account = new.account
    ) granted
    cross join lateral (select n <= granted.polls as is_poll from generate_series(1, granted.calls) n) call
    where made_at > oldest;
    return new;
end
$$;
create trigger provider_gate_arrays before update of submissions, polls on aftercall.provider_gate
    for each row execute function aftercall.gate_arrays();

create or replace view aftercall.gate_now as
select g.rate_group, g.limit_seen, s.configured_limit, s.window_seconds,
    greatest(1, least(s.configured_limit, coalesce(g.limit_seen, s.configured_limit))) as calls_limit,
    (g.calls_total - g.polls_total - past.calls + past.polls)::integer as submissions_used,
    (g.polls_total - past.polls)::integer as polls_used,
    case when g.blocked_until > now() then g.blocked_until end as blocked_until,
    g.refused_since, g.refused_class, g.refused_status, g.refused_code, g.probe_at
from aftercall.provider_gate g
cross join (
    select coalesce(max(value) filter (where name = 'provider.gate.limit'), 10)::integer as configured_limit,
        coalesce(max(value) filter (where name = 'provider.gate.window'), 60) as window_seconds
    from aftercall.published_settings
) s
cross join lateral aftercall.calls_until(g.account, now() - make_interval(secs => s.window_seconds)) past;
