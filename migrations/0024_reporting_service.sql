-- Views of callers, drift, objectives, storage, emotions and topics for dashboards.
set local lock_timeout = '5s';

create view reporting.callers_v1 as
select c.name as caller, c.created_at, (
        select count(*) from aftercall.api_keys k
        where k.caller_id = c.id and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
    ) as active_keys,
    c.last_served_at as last_submitted_at,
    (select count(*) from aftercall.jobs j where j.caller_id = c.id and j.state = 'queued') as queued,
    coalesce(d.created, 0) as created_24h, coalesce(d.completed, 0) as completed_24h, coalesce(d.failed, 0) as failed_24h,
    coalesce(d.timed_out, 0) as timed_out_24h, coalesce(d.canceled, 0) as canceled_24h,
    (d.failed + d.timed_out)::double precision / nullif(d.ended, 0) as failed_share_24h,
    coalesce(d.attempts, 0) as submissions_24h, coalesce(d.refused, 0) as refused_submissions_24h,
    coalesce(d.attempts, 0)::double precision / nullif(sum(d.attempts) over (), 0)::double precision as gate_share_24h
from aftercall.callers c
left join (
    select s.caller_id,
        coalesce(sum(s.counted) filter (where s.subject = 'job_created'), 0)::bigint as created,
        coalesce(sum(s.counted) filter (where s.subject = 'job_ended'), 0)::bigint as ended,
        coalesce(sum(s.counted) filter (where s.outcome = 'completed'), 0)::bigint as completed,
        coalesce(sum(s.counted) filter (where s.outcome = 'failed'), 0)::bigint as failed,
        coalesce(sum(s.counted) filter (where s.outcome = 'timed_out'), 0)::bigint as timed_out,
        coalesce(sum(s.counted) filter (where s.outcome = 'canceled'), 0)::bigint as canceled,
        coalesce(sum(s.counted) filter (where s.subject = 'attempt'), 0)::bigint as attempts,
        coalesce(sum(s.counted) filter (where s.subject = 'attempt' and s.outcome = 'refused'), 0)::bigint as refused
    from aftercall.exact_hours s
    where s.subject in ('job_created', 'job_ended', 'attempt') and s.hour > now() - interval '24 hours'
    group by s.caller_id
) d on d.caller_id = c.id;
comment on view reporting.callers_v1 is 'One row for each caller: now, and in the hours that began within the last 24';
comment on column reporting.callers_v1.caller is 'Name of the caller';
comment on column reporting.callers_v1.created_at is 'When the caller was created';
comment on column reporting.callers_v1.active_keys is 'API keys that are neither revoked nor expired';
comment on column reporting.callers_v1.last_submitted_at is 'When a job of this caller was last submitted to the provider';
comment on column reporting.callers_v1.queued is 'Jobs in the queue now';
comment on column reporting.callers_v1.created_24h is 'Jobs created';
comment on column reporting.callers_v1.completed_24h is 'Jobs completed';
comment on column reporting.callers_v1.failed_24h is 'Jobs that failed';
comment on column reporting.callers_v1.timed_out_24h is 'Jobs that timed out';
comment on column reporting.callers_v1.canceled_24h is 'Jobs canceled';
comment on column reporting.callers_v1.failed_share_24h is 'Part of the ended jobs that failed or timed out, 0 to 1; null without jobs';
comment on column reporting.callers_v1.submissions_24h is 'Attempts to submit jobs to the provider';
comment on column reporting.callers_v1.refused_submissions_24h is 'Attempts that the provider refused because of the request';
comment on column reporting.callers_v1.gate_share_24h is 'Part of the attempts of all callers, 0 to 1; null without attempts';

create view reporting.drift_v1 as
select kind, path, name, deliveries, first_seen_at, last_seen_at, example_job_id
from aftercall.contract_drift;
comment on view reporting.drift_v1 is 'One row for each difference between what the provider sends and its known contract';
comment on column reporting.drift_v1.kind is 'unknown_insight, unknown_member, unexpected_type, unknown_value or other';
comment on column reporting.drift_v1.path is 'Where in the body it was seen';
comment on column reporting.drift_v1.name is 'Name of the member, insight or type';
comment on column reporting.drift_v1.deliveries is 'Deliveries in which it was seen';
comment on column reporting.drift_v1.first_seen_at is 'When it was first seen';
comment on column reporting.drift_v1.last_seen_at is 'When it was last seen';
comment on column reporting.drift_v1.example_job_id is 'Job in which it was last seen, which may no longer exist';

create view reporting.slo_v1 as
select w.window_name, w.window_hours, s.good, s.bad, s.excluded, s.good::double precision / nullif(s.good + s.bad, 0)
        as success_ratio,
    o.objective, coalesce(s.bad::double precision / nullif(s.good + s.bad, 0) / (1 - o.objective), 0) as burn
from (values ('1h', 1), ('6h', 6), ('24h', 24), ('30d', 720)) as w (window_name, window_hours)
cross join (values (0.99::double precision)) as o (objective)
cross join lateral (
    select coalesce(sum(s.counted) filter (where s.outcome = 'completed'), 0)::bigint as good,
        coalesce(sum(s.counted) filter (where s.outcome = 'timed_out'
            or s.outcome = 'failed' and s.error_class <> 'validation'), 0)::bigint as bad,
        coalesce(sum(s.counted) filter (where s.outcome = 'canceled'
            or s.outcome = 'failed' and s.error_class = 'validation'), 0)::bigint as excluded
    from aftercall.exact_hours s
    where s.subject = 'job_ended' and s.hour > now() - make_interval(hours => w.window_hours + 1)
) s;
comment on view reporting.slo_v1 is 'One row for each window: the objective for jobs that ended in the hours (UTC) that overlap the window';
comment on column reporting.slo_v1.window_name is '1h, 6h, 24h or 30d';
comment on column reporting.slo_v1.window_hours is 'Length of the window, in hours';
comment on column reporting.slo_v1.good is 'Completed jobs';
comment on column reporting.slo_v1.bad is 'Jobs that timed out, or failed for another reason than an invalid request';
comment on column reporting.slo_v1.excluded is 'Jobs that count neither way: canceled, or rejected by the provider as invalid';
comment on column reporting.slo_v1.success_ratio is 'good / (good + bad), 0 to 1; null without such jobs';
comment on column reporting.slo_v1.objective is 'The part of jobs that should succeed';
comment on column reporting.slo_v1.burn is 'How fast the error budget is used up: 1 uses it up exactly in the objective''s period; 0 without jobs';

create view reporting.slo_daily_v1 as
select d.day, d.good, d.bad, d.excluded, d.good::double precision / nullif(d.good + d.bad, 0) as success_ratio,
    o.objective, coalesce(d.bad::double precision / nullif(d.good + d.bad, 0) / (1 - o.objective), 0) as burn
from (
    select date_trunc('day', s.hour, 'UTC') as day,
        coalesce(sum(s.counted) filter (where s.outcome = 'completed'), 0)::bigint as good,
        coalesce(sum(s.counted) filter (where s.outcome = 'timed_out'
            or s.outcome = 'failed' and s.error_class <> 'validation'), 0)::bigint as bad,
        coalesce(sum(s.counted) filter (where s.outcome = 'canceled'
            or s.outcome = 'failed' and s.error_class = 'validation'), 0)::bigint as excluded
    from aftercall.exact_hours s
    where s.subject = 'job_ended'
    group by 1
) d
cross join (values (0.99::double precision)) as o (objective);
comment on view reporting.slo_daily_v1 is 'The same by day (UTC) of the end of the jobs';
comment on column reporting.slo_daily_v1.day is 'Start of the day';
comment on column reporting.slo_daily_v1.good is 'Completed jobs';
comment on column reporting.slo_daily_v1.bad is 'Jobs that timed out, or failed for another reason than an invalid request';
comment on column reporting.slo_daily_v1.excluded is 'Jobs that count neither way: canceled, or rejected by the provider as invalid';
comment on column reporting.slo_daily_v1.success_ratio is 'good / (good + bad), 0 to 1; null without such jobs';
comment on column reporting.slo_daily_v1.objective is 'The part of jobs that should succeed';
comment on column reporting.slo_daily_v1.burn is 'How fast the error budget is used up: 1 uses it up exactly in the objective''s period; 0 without jobs';

create view reporting.storage_v1 as
select coalesce(p.relname, t.relname)::text as table_name, case when p.oid is not null then t.relname::text end as partition_name,
    m.month, pg_total_relation_size(t.oid) as bytes, pg_table_size(t.oid) as data_bytes, pg_indexes_size(t.oid) as index_bytes,
    case when t.reltuples >= 0 then t.reltuples::bigint end as estimated_rows,
    case when t.oid = 'aftercall.jobs'::regclass then (select min(created_at) from aftercall.jobs)
        else m.month::timestamp at time zone 'UTC' end as oldest_at,
    k.kind, s.value as kept_seconds,
    (m.month + interval '1 month') at time zone 'UTC' + make_interval(secs => s.value) as next_drop_at
from pg_class t
left join pg_inherits i on i.inhrelid = t.oid
left join pg_class p on p.oid = i.inhparent
cross join lateral (
    select case when p.oid is not null then to_date(substring(t.relname from '_y(\d{4}m\d{2})$'), 'YYYY"m"MM') end as month
) m
left join (values
    ('deliveries', 'deliveries'), ('results', 'results'), ('utterances', 'results'), ('speakers', 'results'),
    ('speaker_names', 'results'), ('speaker_insights', 'results'), ('questions', 'results'),
    ('conversation_insights', 'results'), ('conversations', 'results'), ('conversation_speakers', 'results'),
    ('job_events', 'timeline'), ('job_contents', 'contents'), ('jobs', 'jobs'), ('attempts', 'jobs'), ('job_tags', 'jobs')
) as k (table_name, kind) on k.table_name = coalesce(p.relname, t.relname)
left join aftercall.published_settings s on s.name = 'retention.' || k.kind
where t.relnamespace = 'aftercall'::regnamespace and t.relkind = 'r';
comment on view reporting.storage_v1 is 'One row for each table, or for each monthly partition of it';
comment on column reporting.storage_v1.table_name is 'Name of the table';
comment on column reporting.storage_v1.partition_name is 'Name of the partition; null for a table without partitions';
comment on column reporting.storage_v1.month is 'Month of the partition; null for a table without partitions';
comment on column reporting.storage_v1.bytes is 'Size with indexes, in bytes';
comment on column reporting.storage_v1.data_bytes is 'Size without indexes, in bytes';
comment on column reporting.storage_v1.index_bytes is 'Size of the indexes, in bytes';
comment on column reporting.storage_v1.estimated_rows is 'Rows, as Postgres last counted or estimated them; null if it never did';
comment on column reporting.storage_v1.oldest_at is 'Start of the month, or the oldest job; null for other tables';
comment on column reporting.storage_v1.kind is 'The setting under retention that applies to the table: deliveries, results, timeline, contents or jobs; null for none';
comment on column reporting.storage_v1.kept_seconds is 'How long rows are kept, in seconds; null for ever';
comment on column reporting.storage_v1.next_drop_at is 'When the partition is old enough to be dropped; null for never, and without partitions';

create view reporting.emotion_stats_v1 as
select s.day, c.name as caller, nullif(s.language, '')::text as language, nullif(s.audio_type, '')::text as audio_type,
    s.value::text as emotion, s.jobs, s.utterances, s.talk_ms
from aftercall.callers c
cross join lateral (
    select period as day, language, audio_type, value, sum(completed)::bigint as jobs,
        sum(utterances)::bigint as utterances, sum(talk_ms)::bigint as talk_ms
    from aftercall.exact_stats
    where caller_id = c.id and dimension = 'emotion' and name = '' and grain = 'day'
    group by period, language, audio_type, value
    having sum(completed) > 0
) s;
comment on view reporting.emotion_stats_v1 is 'Sums by day of creation (UTC) over the utterances with an emotion';
comment on column reporting.emotion_stats_v1.day is 'Day (UTC) on which the jobs were submitted';
comment on column reporting.emotion_stats_v1.caller is 'Name of the caller whose jobs they are';
comment on column reporting.emotion_stats_v1.language is 'languageCode of the requests';
comment on column reporting.emotion_stats_v1.audio_type is 'audioType of the requests; null if not given';
comment on column reporting.emotion_stats_v1.emotion is 'Name of the emotion as the provider writes it';
comment on column reporting.emotion_stats_v1.jobs is 'Jobs with a result in which it occurs';
comment on column reporting.emotion_stats_v1.utterances is 'Utterances with this emotion';
comment on column reporting.emotion_stats_v1.talk_ms is 'Sum of the lengths of these utterances, in milliseconds';

create view reporting.topic_stats_v1 as
select s.day, c.name as caller, s.value::text as topic, s.jobs
from aftercall.callers c
cross join lateral (
    select period as day, value, sum(completed)::bigint as jobs
    from aftercall.exact_stats
    where caller_id = c.id and dimension = 'insight' and name = 'Topics' and grain = 'day'
    group by period, value
    having sum(completed) > 0
) s;
comment on view reporting.topic_stats_v1 is 'Results by day of creation (UTC) and topic';
comment on column reporting.topic_stats_v1.day is 'Day (UTC) on which the jobs were submitted';
comment on column reporting.topic_stats_v1.caller is 'Name of the caller whose jobs they are';
comment on column reporting.topic_stats_v1.topic is 'Topic as the provider names it; longer ones than 80 characters are left out';
comment on column reporting.topic_stats_v1.jobs is 'Jobs with a result in which it occurs';
