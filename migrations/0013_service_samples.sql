set local lock_timeout = '5s';

-- The state of the service as a whole, taken every 15 seconds by one of the replicas and shown by all of them.
create table aftercall.service_samples (
    singleton boolean     not null default true constraint service_samples_pkey primary key,
    -- 1970 until the first one is taken.
    taken_at  timestamptz not null default 'epoch',
    -- Name of the metric → list of {"labels": {…}, "value": number}: docs/metrics.md.
    samples   jsonb       not null default '{}',
    constraint service_samples_one_row check (singleton)
) with (fillfactor = 10);
insert into aftercall.service_samples default values;

-- When the delivery or status response that ended the job arrived; null while the job is open, if it ended otherwise,
-- and if it ended before this was recorded.
alter table aftercall.jobs add column result_received_at timestamptz;
-- When the job stopped waiting for this attempt, whose outcome was accepted or unknown, without a result.
alter table aftercall.attempts add column given_up_at timestamptz;

-- Where the time of a job went, in seconds; for an open job, until now. The parts add up to `total`, the time from the
-- job's creation to its end. `submitting`: a request to the provider was in progress. `upstream`: the provider had
-- accepted the job, or may have, and the result had not arrived. `callback_commit`: from the arrival of the result to
-- the transaction that stored it. `queued`: everything else, including the waits between attempts, and between a
-- failure and the retry that the caller asked for.
--
-- The arguments are columns of jobs: id, created_at, finished_at, result_received_at. It reads the attempts of one job
-- by their primary key, and is inlined where it is called with `cross join lateral`.
create function aftercall.blame(job uuid, created timestamptz, finished timestamptz, received timestamptz)
returns table (queued numeric, submitting numeric, upstream numeric, callback_commit numeric, total numeric)
language sql stable parallel safe
as $$
    select
        extract(epoch from finish.arrived - created) - spent.submitting - spent.upstream,
        spent.submitting, spent.upstream,
        extract(epoch from finish.ended - finish.arrived), extract(epoch from finish.ended - created)
    from (
        select ended, greatest(created, least(received, ended)) as arrived
        from (select greatest(created, coalesce(finished, now())) as ended) finish
    ) finish
    cross join lateral (
        select coalesce(extract(epoch from sum(reply.at - span.begun)), 0) as submitting,
            coalesce(extract(epoch from sum(greatest(reply.at, least(a.given_up_at, span.ended)) - reply.at)
                filter (where a.outcome in ('open', 'accepted', 'unknown'))), 0) as upstream
        from (
            select outcome, created_at, answered_at, given_up_at,
                lead(created_at) over (order by number) as next_at
            from aftercall.attempts where job_id = job
        ) a
        cross join lateral (select
            greatest(created, least(a.created_at, finish.arrived)) as begun,
            least(a.next_at, finish.arrived) as ended) span
        cross join lateral (select
            greatest(span.begun, least(a.answered_at, a.given_up_at, span.ended)) as at) reply
    ) spent
$$;
