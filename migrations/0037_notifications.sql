-- Notifications: what is sent to the endpoints of callers, and what became of it. docs/decisions/035-notifications.md.
set local lock_timeout = '2s';

-- Since it failed, an endpoint gets no message before this time; null while it is healthy.
alter table aftercall.endpoints add column slow_until timestamptz;

-- What the caller asked for in `notify`: {"endpoint": id}, also with "lane" and "url" (without credentials) if the job
-- has a URL of its own, or {"silent": true}. Null: all endpoints of the caller that want the event.
alter table aftercall.jobs add column notify json;
-- The URL of its own, sealed.
alter table aftercall.jobs add column notify_url bytea;

-- A UUIDv7 (RFC 9562, section 5.7) made at `at`.
create function aftercall.uuid_v7(at timestamptz) returns uuid
language sql volatile strict parallel safe
as $$
    select (substr(m, 1, 8) || '-' || substr(m, 9, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid
    from lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') m
$$;

-- The outbox: one row per event and endpoint, written in the transaction of the event. Every change goes through
-- src/notifications/.
create table aftercall.notifications (
    -- A UUIDv7: ids sort by when their events happened.
    id             uuid        not null constraint notifications_pkey primary key,
    -- Messages of a lane share a limit of concurrent requests and wait for no other lane: the endpoint, or the host of
    -- the job's own URL.
    lane           uuid        not null,
    -- Endpoints and callers are never deleted, so nothing needs to check these two.
    endpoint_id    uuid        not null,
    caller_id      uuid        not null,
    job_id         uuid        constraint notifications_job references aftercall.jobs on delete cascade,
    -- The endpoint that the event is about, if it is not about a job.
    about_endpoint uuid,
    type           text        not null,
    -- The version of the job after the event. With the job it names the event, and orders the messages of a job.
    version        integer     not null,
    -- Makes the webhook-id of a replay another one; empty unless it is a replay.
    nonce          text        not null default '',
    -- The notification that this one replays.
    replay_of      uuid,
    -- Of job.completed: how the result arrived.
    completed_via  text,
    occurred_at    timestamptz not null,
    state          text        not null,
    -- pending, probe: when to send it. delivering: when its lease expires. waiting: null, as are all final states.
    due_at         timestamptz,
    lease_id       uuid,
    -- Attempts so far, and how many of them count towards the retries of this round: `recover` begins a new one.
    attempts       integer     not null default 0,
    retries        integer     not null default 0,
    finished_at    timestamptz,
    constraint notifications_once unique (job_id, lane, version, nonce),
    -- waiting: for an earlier message of its job. probe: tests whether a paused endpoint is back. skipped: its endpoint
    -- was paused, disabled or deleted. exhausted: all attempts failed.
    constraint notifications_state_known check (state in
        ('waiting', 'pending', 'probe', 'delivering', 'delivered', 'exhausted', 'skipped')),
    constraint notifications_due_unless_final check
        ((state in ('pending', 'probe', 'delivering')) = (due_at is not null)),
    constraint notifications_finished_when_final check
        ((state in ('delivered', 'exhausted', 'skipped')) = (finished_at is not null)),
    constraint notifications_about_something check ((job_id is null) <> (about_endpoint is null))
);
create index notifications_of_endpoint on aftercall.notifications (endpoint_id, id);
create index notifications_missed on aftercall.notifications (endpoint_id, id)
    where state in ('skipped', 'exhausted');
create index notifications_due on aftercall.notifications (lane, due_at, id) where state = 'pending';
create index notifications_delivering on aftercall.notifications (lane, due_at) where state = 'delivering';
create index notifications_probes on aftercall.notifications (due_at) where state = 'probe';

-- One attempt at sending a notification.
create table aftercall.notification_attempts (
    notification_id uuid        not null
        constraint notification_attempts_notification references aftercall.notifications on delete cascade,
    number          integer     not null,
    -- answered: with `status`. lost: the process that was sending ended. Otherwise why there was no response.
    outcome         text        not null,
    status          integer,
    latency_ms      integer,
    -- The beginning of the response, up to 2 KiB.
    answer          text,
    ended_at        timestamptz not null default now(),
    constraint notification_attempts_pkey primary key (notification_id, number)
);

-- The lanes with messages that wait for their time: a few index lookups per lane, however many messages it has.
create function aftercall.pending_lanes() returns setof uuid
language sql stable
as $$
    with recursive lanes as (
        (select n.lane from aftercall.notifications n where n.state = 'pending' order by n.lane limit 1)
        union all
        select (select n.lane from aftercall.notifications n
                where n.state = 'pending' and n.lane > lanes.lane order by n.lane limit 1)
        from lanes where lanes.lane is not null
    )
    select lane from lanes where lane is not null
$$;

-- Writes the outbox. A kind of event named `k` is the event type `job.k`. While no caller has an endpoint it costs one
-- look into a small table. A subquery with `offset 0` per event: the plan is kept from the first batch on, when Postgres
-- may know nothing about the tables, so no other plan than lookups by key must be possible.
create function aftercall.notify_of_events() returns trigger
language plpgsql
as $$
begin
    if not exists (select from aftercall.endpoints where deleted_at is null) then
        return null;
    end if;
    insert into aftercall.notifications (id, lane, endpoint_id, caller_id, job_id, type, version, completed_via,
        occurred_at, state, due_at, finished_at)
    select aftercall.uuid_v7(e.created_at), coalesce((j.notify ->> 'lane')::uuid, p.id), p.id, j.caller_id, e.job_id,
        'job.' || e.kind, e.seq, case e.kind when 'completed' then e.detail ->> 'via' end, e.created_at,
        case when open then 'pending' else 'skipped' end, case when open then now() end,
        case when not open then now() end
    from fresh e
    cross join lateral (select caller_id, notify from aftercall.jobs where id = e.job_id offset 0) j
    cross join lateral (
        select id, events, state from aftercall.endpoints
        where caller_id = j.caller_id and deleted_at is null offset 0
    ) p
    cross join lateral (select p.state = 'active' or j.notify ->> 'lane' is not null as open) o
    where e.kind in ('submitted', 'completed', 'failed', 'timed_out', 'canceled', 'reparsed')
        and 'job.' || e.kind = any (p.events)
        and (j.notify is null or p.id = (j.notify ->> 'endpoint')::uuid);
    return null;
end
$$;
create trigger job_events_are_notified after insert on aftercall.job_events
    referencing new table as fresh for each statement execute function aftercall.notify_of_events();

create view reporting.notify_v1 as
select n.id as notification_id, c.name as caller, n.endpoint_id, n.job_id, n.type, n.occurred_at, n.state,
    n.nonce <> '' as is_replay, n.attempts, n.finished_at,
    case when n.state = 'delivered' then aftercall.ms_between(n.occurred_at, n.finished_at) end as delivery_ms,
    last.outcome as last_outcome, last.status as last_status, last.latency_ms as last_latency_ms
from aftercall.notifications n
join aftercall.callers c on c.id = n.caller_id
left join lateral (
    select a.outcome, a.status, a.latency_ms from aftercall.notification_attempts a
    where a.notification_id = n.id order by a.number desc limit 1
) last on true;
comment on view reporting.notify_v1 is 'One row for each notification; filter on occurred_at';
comment on column reporting.notify_v1.notification_id is 'Id of the notification';
comment on column reporting.notify_v1.caller is 'Name of the caller whose endpoint it is for';
comment on column reporting.notify_v1.endpoint_id is 'Id of the endpoint';
comment on column reporting.notify_v1.job_id is 'Id of the job that the event is about; null if it is about an endpoint';
comment on column reporting.notify_v1.type is 'Type of the event, such as job.completed';
comment on column reporting.notify_v1.occurred_at is 'When the event happened';
comment on column reporting.notify_v1.state is 'waiting, pending, probe, delivering, delivered, exhausted or skipped';
comment on column reporting.notify_v1.is_replay is 'Whether it was sent again on request';
comment on column reporting.notify_v1.attempts is 'Attempts so far';
comment on column reporting.notify_v1.finished_at is 'When its state became final';
comment on column reporting.notify_v1.delivery_ms is 'Time from the event to the delivery, in milliseconds; null unless delivered';
comment on column reporting.notify_v1.last_outcome is 'How the last attempt ended: answered, or why there was no response';
comment on column reporting.notify_v1.last_status is 'HTTP status of the last attempt; null without a response';
comment on column reporting.notify_v1.last_latency_ms is 'Duration of the last attempt, in milliseconds';
