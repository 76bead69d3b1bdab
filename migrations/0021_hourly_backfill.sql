-- Counts what happened before migration 0016. One statement sees one snapshot: what there is in it, less what its
-- changes and sums already count, is what is missing, whatever is written meanwhile.
set local jit = off;
insert into aftercall.hour_changes (subject, hour, caller_id, outcome, via, error_class, error_code, counted, bytes,
    queued_ms, submitting_ms, upstream_ms, commit_ms, total_ms)
select subject, hour, caller_id, outcome, via, error_class, error_code, sum(counted), sum(bytes), sum(queued_ms),
    sum(submitting_ms), sum(upstream_ms), sum(commit_ms), sum(total_ms)
from (
    select 'job_created' as subject, aftercall.hour_of(created_at) as hour, caller_id, '' as outcome, '' as via,
        '' as error_class, '' as error_code, count(*) as counted, 0 as bytes, 0 as queued_ms, 0 as submitting_ms,
        0 as upstream_ms, 0 as commit_ms, 0 as total_ms
    from aftercall.jobs
    group by 2, 3
    union all
    select 'job_ended', aftercall.hour_of(j.finished_at), j.caller_id, j.state, coalesce(j.completed_via, ''),
        coalesce(j.error ->> 'class', ''), coalesce(aftercall.error_code(j.error), ''), count(*), 0,
        coalesce(sum(b.queued_ms), 0), coalesce(sum(b.submitting_ms), 0), coalesce(sum(b.upstream_ms), 0),
        coalesce(sum(b.commit_ms), 0), sum(aftercall.ms_between(j.created_at, j.finished_at))
    from aftercall.jobs j
    left join lateral aftercall.blame_ms(j.id, j.created_at, j.finished_at, j.result_received_at) b
        on j.state = 'completed'
    where j.finished_at is not null
    group by 2, 3, 4, 5, 6, 7
    union all
    select 'attempt', aftercall.hour_of(a.created_at), j.caller_id, a.outcome, '', '', '', count(*), 0, 0, 0, 0, 0,
        coalesce(sum(aftercall.ms_between(a.created_at, a.answered_at)), 0)
    from aftercall.attempts a
    join aftercall.jobs j on j.id = a.job_id
    where a.outcome <> 'open'
    group by 2, 3, 4
    union all
    select 'delivery', aftercall.hour_of(received_at), '00000000-0000-0000-0000-000000000000', outcome, via, '', '',
        count(*), sum(body_bytes), 0, 0, 0, coalesce(sum(commit_ms), 0), 0
    from aftercall.deliveries
    group by 2, 4, 5
    union all
    select subject, hour, caller_id, outcome, via, error_class, error_code, -counted, -bytes, -queued_ms,
        -submitting_ms, -upstream_ms, -commit_ms, -total_ms
    from aftercall.exact_hours
) everything
group by 1, 2, 3, 4, 5, 6, 7
having sum(counted) <> 0 or sum(total_ms) <> 0 or sum(bytes) <> 0;
