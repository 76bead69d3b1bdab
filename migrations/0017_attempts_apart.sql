-- Whether a success may still end a job: it is open, or nobody but us ended it. The clock did, or we
-- presumed a failure: no submission was ever confirmed, or the provider was out of order each time. What
-- the provider refused (validation) or reported as failed (analysis) is over.
create function aftercall.awaits_result(state text, error json) returns boolean
language sql immutable parallel safe
as $$
    select state in ('queued', 'submitting', 'submitted', 'timed_out')
        or state = 'failed' and coalesce(error ->> 'class' not in ('validation', 'analysis'), false)
$$;

-- Earlier versions took a delivery for a duplicate when another attempt of its job had got the same bytes.
-- The first of each attempt becomes what it is: of a completed job, superseded; of any other, put in
-- quarantine with its bytes, from where a replay gives it its due.
with mistaken as (
    select distinct on (d.job_id, d.attempt, d.body_sha) d.job_id, d.id, d.body_sha
    from aftercall.deliveries d
    where d.outcome = 'duplicate' and d.via <> 'replay' and not exists (
        select from aftercall.deliveries o
        where o.job_id = d.job_id and o.attempt = d.attempt and o.body_sha = d.body_sha
          and o.outcome <> 'duplicate' and o.via <> 'replay')
    order by d.job_id, d.attempt, d.body_sha, d.id
), known as (
    select m.job_id, m.id, j.state, f.body
    from mistaken m
    join aftercall.jobs j on j.id = m.job_id
    cross join lateral (
        select o.body from aftercall.deliveries o
        where o.job_id = m.job_id and o.body_sha = m.body_sha and o.body is not null
        limit 1) f
)
update aftercall.deliveries d set
    outcome = case known.state when 'completed' then 'superseded' else 'malformed' end,
    reason = 'an earlier version took it for a duplicate of another attempt; a replay reads it',
    body = known.body
from known where d.job_id = known.job_id and d.id = known.id;
