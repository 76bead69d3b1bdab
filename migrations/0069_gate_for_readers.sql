-- A view reads tables with the rights of its owner, but a function that it calls has those of who reads the view, and
-- aftercall_reader may not read tables: so the view reads what `calls_until` does by itself.
set local lock_timeout = '5s';

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
cross join lateral (
    select coalesce(max(calls_total), 0) as calls, coalesce(max(polls_total), 0) as polls
    from (
        select c.calls_total, c.polls_total from aftercall.provider_calls c
        where c.account = g.account and c.made_at <= now() - make_interval(secs => s.window_seconds)
        order by c.made_at desc limit 1
    ) last
) past
where g.is_configured;
