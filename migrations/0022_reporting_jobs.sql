-- Views of jobs for dashboards: each row, and the sums by the hour of docs/decisions/026-reporting-and-roles.md.
set local lock_timeout = '5s';

create view reporting.jobs_v1 as
select j.id as job_id, c.name as caller, j.created_at, j.state, j.language, j.audio_type, j.tags, j.completed_via,
    j.error ->> 'class' as error_class, aftercall.error_code(j.error) as error_code,
    (select count(*) from aftercall.attempts a where a.job_id = j.id)::integer as attempts,
    j.deadline_at, j.submitted_at, j.finished_at, b.queued_ms, b.submitting_ms, b.upstream_ms, b.commit_ms,
    aftercall.ms_between(j.created_at, j.finished_at) as total_ms
from aftercall.jobs j
join aftercall.callers c on c.id = j.caller_id
left join lateral aftercall.blame_ms(j.id, j.created_at, j.finished_at, j.result_received_at) b
    on j.finished_at is not null;
comment on view reporting.jobs_v1 is 'One row for each job; filter on created_at';
comment on column reporting.jobs_v1.job_id is 'Id of the job';
comment on column reporting.jobs_v1.caller is 'Name of the caller whose job it is';
comment on column reporting.jobs_v1.created_at is 'When the job was submitted to Aftercall';
comment on column reporting.jobs_v1.state is 'queued, submitting, submitted, completed, failed, timed_out or canceled';
comment on column reporting.jobs_v1.language is 'languageCode of the request';
comment on column reporting.jobs_v1.audio_type is 'audioType of the request; null if not given';
comment on column reporting.jobs_v1.tags is 'Tags of the job';
comment on column reporting.jobs_v1.completed_via is 'How the result arrived: webhook, poll or replay; null unless completed';
comment on column reporting.jobs_v1.error_class is 'Why the job failed, or its last attempt: validation, auth, upstream, analysis or timeout';
comment on column reporting.jobs_v1.error_code is 'The provider''s code of that error, up to 80 characters';
comment on column reporting.jobs_v1.attempts is 'Attempts to submit it to the provider';
comment on column reporting.jobs_v1.deadline_at is 'When the job times out';
comment on column reporting.jobs_v1.submitted_at is 'When the provider accepted it';
comment on column reporting.jobs_v1.finished_at is 'When it reached a final state';
comment on column reporting.jobs_v1.queued_ms is 'Time in the queue, including waits between attempts, in milliseconds; null until finished';
comment on column reporting.jobs_v1.submitting_ms is 'Time during which requests to the provider were in progress, in milliseconds; null until finished';
comment on column reporting.jobs_v1.upstream_ms is 'Time at the provider, in milliseconds; null until finished';
comment on column reporting.jobs_v1.commit_ms is 'Time from the arrival of the result to the transaction that stored it, in milliseconds; null until finished';
comment on column reporting.jobs_v1.total_ms is 'Time from creation to end, in milliseconds: the sum of the four parts; null until finished';

create view reporting.job_hourly_v1 as
select s.hour, c.name as caller, s.created, s.completed_webhook, s.completed_poll, s.completed_replay,
    s.completed_webhook + s.completed_poll + s.completed_replay as completed, s.failed, s.timed_out, s.canceled,
    s.completed_webhook + s.completed_poll + s.completed_replay + s.failed + s.timed_out + s.canceled as finished,
    s.queued_ms, s.submitting_ms, s.upstream_ms, s.commit_ms, s.total_ms
from (
    select hour, caller_id, coalesce(sum(counted) filter (where subject = 'job_created'), 0)::bigint as created,
        coalesce(sum(counted) filter (where via = 'webhook'), 0)::bigint as completed_webhook,
        coalesce(sum(counted) filter (where via = 'poll'), 0)::bigint as completed_poll,
        coalesce(sum(counted) filter (where via = 'replay'), 0)::bigint as completed_replay,
        coalesce(sum(counted) filter (where outcome = 'failed'), 0)::bigint as failed,
        coalesce(sum(counted) filter (where outcome = 'timed_out'), 0)::bigint as timed_out,
        coalesce(sum(counted) filter (where outcome = 'canceled'), 0)::bigint as canceled,
        sum(queued_ms)::bigint as queued_ms, sum(submitting_ms)::bigint as submitting_ms,
        sum(upstream_ms)::bigint as upstream_ms, sum(commit_ms)::bigint as commit_ms,
        coalesce(sum(total_ms) filter (where outcome = 'completed'), 0)::bigint as total_ms
    from aftercall.exact_hours
    where subject in ('job_created', 'job_ended')
    group by hour, caller_id
) s
join aftercall.callers c on c.id = s.caller_id;
comment on view reporting.job_hourly_v1 is 'Sums by hour and caller: jobs created, and jobs finished, in that hour';
comment on column reporting.job_hourly_v1.hour is 'Start of the hour';
comment on column reporting.job_hourly_v1.caller is 'Name of the caller whose jobs they are';
comment on column reporting.job_hourly_v1.created is 'Jobs created in the hour';
comment on column reporting.job_hourly_v1.completed_webhook is 'Jobs completed in the hour by a webhook delivery';
comment on column reporting.job_hourly_v1.completed_poll is 'Jobs completed in the hour by polling the provider';
comment on column reporting.job_hourly_v1.completed_replay is 'Jobs completed in the hour by replaying a stored delivery';
comment on column reporting.job_hourly_v1.completed is 'Jobs completed in the hour';
comment on column reporting.job_hourly_v1.failed is 'Jobs that failed in the hour and were not retried since';
comment on column reporting.job_hourly_v1.timed_out is 'Jobs that timed out in the hour and were neither retried nor completed since';
comment on column reporting.job_hourly_v1.canceled is 'Jobs canceled in the hour';
comment on column reporting.job_hourly_v1.finished is 'All jobs that ended in the hour';
comment on column reporting.job_hourly_v1.queued_ms is 'Time in the queue of the completed jobs, in milliseconds';
comment on column reporting.job_hourly_v1.submitting_ms is 'Time of the completed jobs during which requests to the provider were in progress, in milliseconds';
comment on column reporting.job_hourly_v1.upstream_ms is 'Time of the completed jobs at the provider, in milliseconds';
comment on column reporting.job_hourly_v1.commit_ms is 'Time of the completed jobs from the arrival of the result to its storing, in milliseconds';
comment on column reporting.job_hourly_v1.total_ms is 'Time of the completed jobs from creation to completion, in milliseconds: the sum of the four parts';

create view reporting.job_failure_hourly_v1 as
select s.hour, c.name as caller, s.outcome::text as state, s.error_class::text as error_class,
    s.error_code::text as error_code, sum(s.counted)::bigint as jobs, sum(s.total_ms)::bigint as total_ms
from aftercall.exact_hours s
join aftercall.callers c on c.id = s.caller_id
where s.subject = 'job_ended' and s.outcome in ('failed', 'timed_out')
group by s.hour, c.name, s.outcome, s.error_class, s.error_code
having sum(s.counted) <> 0;
comment on view reporting.job_failure_hourly_v1 is 'Failed and timed-out jobs by the hour of their end';
comment on column reporting.job_failure_hourly_v1.hour is 'Start of the hour in which the jobs ended';
comment on column reporting.job_failure_hourly_v1.caller is 'Name of the caller whose jobs they are';
comment on column reporting.job_failure_hourly_v1.state is 'failed or timed_out';
comment on column reporting.job_failure_hourly_v1.error_class is 'validation, auth, upstream, analysis or timeout';
comment on column reporting.job_failure_hourly_v1.error_code is 'The provider''s code, up to 80 characters; empty without one';
comment on column reporting.job_failure_hourly_v1.jobs is 'Jobs that ended so and were neither retried nor completed since';
comment on column reporting.job_failure_hourly_v1.total_ms is 'Time of these jobs from creation to end, in milliseconds';

create view reporting.unfinished_jobs_v1 as
select s.state, coalesce(u.jobs, 0) as jobs, u.oldest_created_at,
    coalesce(extract(epoch from now() - u.oldest_created_at), 0)::double precision as oldest_seconds,
    coalesce(u.due_within_hour, 0) as due_within_hour, u.next_deadline_at,
    extract(epoch from u.next_deadline_at - now())::double precision as next_deadline_seconds
from (values ('queued'), ('submitting'), ('submitted')) as s (state)
left join (
    select j.state, count(*) as jobs, min(j.created_at) as oldest_created_at,
        count(*) filter (where j.deadline_at < now() + interval '1 hour') as due_within_hour,
        min(j.deadline_at) as next_deadline_at
    from aftercall.jobs j
    where j.finished_at is null
    group by j.state
) u on u.state = s.state;
comment on view reporting.unfinished_jobs_v1 is 'One row for each state that is not final: the jobs in it now';
comment on column reporting.unfinished_jobs_v1.state is 'queued, submitting or submitted';
comment on column reporting.unfinished_jobs_v1.jobs is 'Jobs in this state';
comment on column reporting.unfinished_jobs_v1.oldest_created_at is 'When the oldest of them was created; null without jobs';
comment on column reporting.unfinished_jobs_v1.oldest_seconds is 'Age of the oldest of them, in seconds; 0 without jobs';
comment on column reporting.unfinished_jobs_v1.due_within_hour is 'Jobs whose deadline is less than an hour away, or past';
comment on column reporting.unfinished_jobs_v1.next_deadline_at is 'The nearest deadline; null without jobs';
comment on column reporting.unfinished_jobs_v1.next_deadline_seconds is 'Time until the nearest deadline, in seconds; null without jobs';
