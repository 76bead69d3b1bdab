-- A function that a view calls runs with the rights of who reads the view, and dashboards may read nothing but views:
-- jobs_v1 therefore contains what aftercall.blame does. A test compares the two.
set local lock_timeout = '5s';

create or replace view reporting.jobs_v1 as
select j.id as job_id, c.name as caller, j.created_at, j.state, j.language, j.audio_type, j.tags, j.completed_via,
    j.error ->> 'class' as error_class, aftercall.error_code(j.error) as error_code,
    (select count(*) from aftercall.attempts a where a.job_id = j.id)::integer as attempts,
    j.deadline_at, j.submitted_at, j.finished_at, ms.until_submitting as queued_ms,
    ms.until_upstream - ms.until_submitting as submitting_ms, ms.until_commit - ms.until_upstream as upstream_ms,
    aftercall.ms_between(j.created_at, j.finished_at) - ms.until_commit as commit_ms,
    aftercall.ms_between(j.created_at, j.finished_at) as total_ms
from aftercall.jobs j
join aftercall.callers c on c.id = j.caller_id
left join lateral (
    select floor(1000 * (waited - spent.submitting - spent.upstream))::bigint as until_submitting,
        floor(1000 * (waited - spent.upstream))::bigint as until_upstream, floor(1000 * waited)::bigint as until_commit
    from (
        select coalesce(extract(epoch from sum(reply.at - span.begun)), 0) as submitting,
            coalesce(extract(epoch from sum(greatest(reply.at, least(a.given_up_at, span.ended)) - reply.at)
                filter (where a.outcome in ('open', 'accepted', 'unknown'))), 0) as upstream
        from (
            select outcome, created_at, answered_at, given_up_at,
                lead(created_at) over (order by number) as next_at
            from aftercall.attempts where job_id = j.id
        ) a
        cross join lateral (select greatest(j.created_at, least(j.result_received_at, j.finished_at)) as arrived) finish
        cross join lateral (select
            greatest(j.created_at, least(a.created_at, finish.arrived)) as begun,
            least(a.next_at, finish.arrived) as ended) span
        cross join lateral (select
            greatest(span.begun, least(a.answered_at, a.given_up_at, span.ended)) as at) reply
    ) spent
    cross join lateral (select extract(epoch from
        greatest(j.created_at, least(j.result_received_at, j.finished_at)) - j.created_at) as waited) w
) ms on j.finished_at is not null;
