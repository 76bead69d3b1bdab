-- Views of the queue, the provider gate, attempts and deliveries for dashboards.
set local lock_timeout = '5s';

-- The gate as it is now: one row for each rate group. Until a service has published its settings, the defaults of
-- config/default.toml.
create view aftercall.gate_now as
select g.rate_group, g.limit_seen, s.configured_limit, s.window_seconds,
    greatest(1, least(s.configured_limit, coalesce(g.limit_seen, s.configured_limit))) as calls_limit,
    cardinality(array(select made from unnest(g.submissions) made
        where made > now() - make_interval(secs => s.window_seconds))) as submissions_used,
    cardinality(array(select made from unnest(g.polls) made
        where made > now() - make_interval(secs => s.window_seconds))) as polls_used,
    case when g.blocked_until > now() then g.blocked_until end as blocked_until,
    g.refused_since, g.refused_class, g.refused_status, g.refused_code, g.probe_at
from aftercall.provider_gate g
cross join (
    select coalesce(max(value) filter (where name = 'provider.gate.limit'), 10)::integer as configured_limit,
        coalesce(max(value) filter (where name = 'provider.gate.window'), 60) as window_seconds
    from aftercall.published_settings
) s;

create view reporting.provider_gate_v1 as
select rate_group, calls_limit, configured_limit, limit_seen as seen_limit, window_seconds, submissions_used, polls_used,
    submissions_used + polls_used as calls_used,
    greatest(0, calls_limit - submissions_used - polls_used) as calls_free,
    least(1, (submissions_used + polls_used)::double precision / calls_limit) as used_share, blocked_until,
    coalesce(extract(epoch from blocked_until - now()), 0)::double precision as penalty_seconds, refused_since,
    coalesce(extract(epoch from now() - refused_since), 0)::double precision as refused_seconds, refused_class,
    refused_status, refused_code, probe_at as next_probe_at
from aftercall.gate_now;
comment on view reporting.provider_gate_v1 is 'One row for each rate group of the provider: how often it may be called, and whether it lets us';
comment on column reporting.provider_gate_v1.rate_group is 'The provider''s name of the group';
comment on column reporting.provider_gate_v1.calls_limit is 'Calls allowed in a window: the smaller of the next two';
comment on column reporting.provider_gate_v1.configured_limit is 'provider.gate.limit of the service that started last';
comment on column reporting.provider_gate_v1.seen_limit is 'Limit that the provider last named; null if it never did';
comment on column reporting.provider_gate_v1.window_seconds is 'Length of the window, in seconds';
comment on column reporting.provider_gate_v1.submissions_used is 'Submissions in the current window';
comment on column reporting.provider_gate_v1.polls_used is 'Status polls in the current window';
comment on column reporting.provider_gate_v1.calls_used is 'Both together';
comment on column reporting.provider_gate_v1.calls_free is 'Calls that are left in the window';
comment on column reporting.provider_gate_v1.used_share is 'Used part of the limit, 0 to 1';
comment on column reporting.provider_gate_v1.blocked_until is 'End of the penalty; null without one';
comment on column reporting.provider_gate_v1.penalty_seconds is 'Time until the end of the penalty, in seconds; 0 without one';
comment on column reporting.provider_gate_v1.refused_since is 'Since when the provider has refused every submission; null while it does not';
comment on column reporting.provider_gate_v1.refused_seconds is 'For how long it has, in seconds; 0 while it does not';
comment on column reporting.provider_gate_v1.refused_class is 'auth: our credentials; upstream: its address, or something in between';
comment on column reporting.provider_gate_v1.refused_status is 'HTTP status of the last refusal; null if the login failed';
comment on column reporting.provider_gate_v1.refused_code is 'The provider''s code of the last refusal';
comment on column reporting.provider_gate_v1.next_probe_at is 'When one submission is sent to test whether it is over';

create view reporting.queue_v1 as
select q.job_id, q.caller, q.created_at, q.due_at, q.deadline_at, q.position, e.eta_at, e.eta_at > q.deadline_at as is_late
from (
    select j.id as job_id, c.name as caller, j.created_at, j.due_at, j.deadline_at,
        row_number() over (order by j.due_at > now(), j.turn, c.last_served_at nulls first, j.due_at, j.id) as position
    from aftercall.callers c
    cross join lateral (
        select j.id, j.created_at, j.due_at, j.deadline_at, row_number() over (order by j.due_at, j.id) as turn
        from aftercall.jobs j
        where j.caller_id = c.id and j.state = 'queued'
        order by j.due_at, j.id
        limit 1000
    ) j
) q
cross join aftercall.gate_now g
cross join lateral (
    select greatest(q.due_at, coalesce(greatest(g.blocked_until, g.probe_at), now()) + make_interval(secs =>
        g.window_seconds / g.calls_limit
            * greatest(0, q.position - greatest(0, g.calls_limit - g.submissions_used - g.polls_used)))) as eta_at
) e
where g.rate_group = 'heavy';
comment on view reporting.queue_v1 is 'One row for each queued job, up to 1,000 of each caller; order by position';
comment on column reporting.queue_v1.job_id is 'Id of the job';
comment on column reporting.queue_v1.caller is 'Name of the caller whose job it is';
comment on column reporting.queue_v1.created_at is 'When the job was submitted to Aftercall';
comment on column reporting.queue_v1.due_at is 'When it may be submitted to the provider';
comment on column reporting.queue_v1.deadline_at is 'When the job times out';
comment on column reporting.queue_v1.position is 'Submissions until it is sent, itself included; callers take turns';
comment on column reporting.queue_v1.eta_at is 'When it will be sent at the rate of the gate';
comment on column reporting.queue_v1.is_late is 'Whether that is after its deadline';

create view reporting.queue_summary_v1 as
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
    select max(coalesce(greatest(g.blocked_until, g.probe_at), now()) + make_interval(secs =>
        g.window_seconds / g.calls_limit
            * greatest(0, q.queued - greatest(0, g.calls_limit - g.submissions_used - g.polls_used)))) as last_eta_at
    from aftercall.gate_now g where g.rate_group = 'heavy' and q.queued > 0
) e;
comment on view reporting.queue_summary_v1 is 'One row: the queue as a whole, now';
comment on column reporting.queue_summary_v1.queued is 'Queued jobs';
comment on column reporting.queue_summary_v1.due is 'Queued jobs that may be submitted now';
comment on column reporting.queue_summary_v1.oldest_created_at is 'When the oldest of them was created; null for an empty queue';
comment on column reporting.queue_summary_v1.oldest_seconds is 'Age of the oldest of them, in seconds; 0 for an empty queue';
comment on column reporting.queue_summary_v1.last_eta_at is 'When the last of them will be sent at the rate of the gate; null for an empty queue';
comment on column reporting.queue_summary_v1.eta_seconds is 'Time until then, in seconds; 0 for an empty queue';
comment on column reporting.queue_summary_v1.next_deadline_at is 'The nearest deadline of a queued job; null for an empty queue';
comment on column reporting.queue_summary_v1.unconfirmed is 'Jobs whose last attempt got no response, so that the provider may have accepted it';

create view reporting.attempts_v1 as
select a.job_id, a.number, c.name as caller, a.created_at as started_at, a.answered_at, a.outcome,
    aftercall.ms_between(a.created_at, a.answered_at) as response_ms, a.error ->> 'class' as error_class,
    aftercall.error_code(a.error) as error_code, a.surplus, a.surplus_bytes
from aftercall.attempts a
left join aftercall.jobs j on j.id = a.job_id
left join aftercall.callers c on c.id = j.caller_id;
comment on view reporting.attempts_v1 is 'One row for each attempt to submit a job to the provider; filter on started_at';
comment on column reporting.attempts_v1.job_id is 'Id of the job';
comment on column reporting.attempts_v1.number is '1 for the first attempt of the job';
comment on column reporting.attempts_v1.caller is 'Name of the caller whose job it is';
comment on column reporting.attempts_v1.started_at is 'When the attempt began';
comment on column reporting.attempts_v1.answered_at is 'When the provider''s response, or the lack of one, was recorded';
comment on column reporting.attempts_v1.outcome is 'open, accepted, refused, throttled, broken, unreachable, unauthorized, misdirected or unknown';
comment on column reporting.attempts_v1.response_ms is 'Time until then, in milliseconds; null while the attempt is open';
comment on column reporting.attempts_v1.error_class is 'Why it failed: validation, auth or upstream';
comment on column reporting.attempts_v1.error_code is 'The provider''s code of that error, up to 80 characters';
comment on column reporting.attempts_v1.surplus is 'Deliveries to its webhook beyond the limits, which are only counted';
comment on column reporting.attempts_v1.surplus_bytes is 'Bytes of these deliveries';

create view reporting.attempt_hourly_v1 as
select s.hour, c.name as caller, s.outcome::text as outcome, sum(s.counted)::bigint as attempts,
    sum(s.total_ms)::bigint as response_ms
from aftercall.exact_hours s
join aftercall.callers c on c.id = s.caller_id
where s.subject = 'attempt'
group by s.hour, c.name, s.outcome
having sum(s.counted) <> 0;
comment on view reporting.attempt_hourly_v1 is 'Attempts that have an outcome, by the hour of their start';
comment on column reporting.attempt_hourly_v1.hour is 'Start of the hour in which the attempts began';
comment on column reporting.attempt_hourly_v1.caller is 'Name of the caller whose jobs they are for';
comment on column reporting.attempt_hourly_v1.outcome is 'accepted, refused, throttled, broken, unreachable, unauthorized, misdirected or unknown';
comment on column reporting.attempt_hourly_v1.attempts is 'Attempts with this outcome';
comment on column reporting.attempt_hourly_v1.response_ms is 'Time until their responses, in milliseconds';

create view reporting.deliveries_v1 as
select d.id as delivery_id, d.job_id, c.name as caller, d.attempt, d.via, d.outcome, d.reason, d.received_at,
    d.commit_ms::bigint as commit_ms, d.body_bytes as bytes,
    -- The condition of src/deliveries/read.rs.
    d.outcome in ('malformed', 'mismatch') and d.via <> 'replay' and 0 = (
        select count(*) from aftercall.deliveries r
        where r.job_id = d.job_id and r.replay_of = d.id and r.outcome not in ('malformed', 'mismatch')
    ) as is_quarantined
from aftercall.deliveries d
left join aftercall.jobs j on j.id = d.job_id
left join aftercall.callers c on c.id = j.caller_id;
comment on view reporting.deliveries_v1 is 'One row for each stored delivery, without its body and headers; filter on received_at';
comment on column reporting.deliveries_v1.delivery_id is 'Id of the delivery; rises with time';
comment on column reporting.deliveries_v1.job_id is 'Id of the job';
comment on column reporting.deliveries_v1.caller is 'Name of the caller whose job it is';
comment on column reporting.deliveries_v1.attempt is 'Number of the attempt whose webhook received it';
comment on column reporting.deliveries_v1.via is 'webhook, poll or replay';
comment on column reporting.deliveries_v1.outcome is 'accepted, duplicate, late, superseded, malformed or mismatch';
comment on column reporting.deliveries_v1.reason is 'Why it was not accepted';
comment on column reporting.deliveries_v1.received_at is 'When it was received';
comment on column reporting.deliveries_v1.commit_ms is 'Time from its arrival to the transaction that stored it, in milliseconds; null if not recorded';
comment on column reporting.deliveries_v1.bytes is 'Size of its body as received';
comment on column reporting.deliveries_v1.is_quarantined is 'Whether it could not be used, and no replay of it could either';

create view reporting.delivery_hourly_v1 as
select s.hour, s.via::text as via, s.outcome::text as outcome, sum(s.counted)::bigint as deliveries,
    sum(s.bytes)::bigint as bytes, sum(s.commit_ms)::bigint as commit_ms
from aftercall.exact_hours s
where s.subject = 'delivery'
group by s.hour, s.via, s.outcome
having sum(s.counted) <> 0;
comment on view reporting.delivery_hourly_v1 is 'Stored deliveries by the hour in which they were received';
comment on column reporting.delivery_hourly_v1.hour is 'Start of the hour';
comment on column reporting.delivery_hourly_v1.via is 'webhook, poll or replay';
comment on column reporting.delivery_hourly_v1.outcome is 'accepted, duplicate, late, superseded, malformed or mismatch';
comment on column reporting.delivery_hourly_v1.deliveries is 'Deliveries with this outcome';
comment on column reporting.delivery_hourly_v1.bytes is 'Size of their bodies as received';
comment on column reporting.delivery_hourly_v1.commit_ms is 'Time from their arrival to the transactions that stored them, in milliseconds';
