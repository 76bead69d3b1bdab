-- Statistics across jobs: sums by the day of a job's creation (UTC). A job that reaches or leaves a final state
-- inserts a change in the same transaction; changes are added to the sums later. The sums and the changes together
-- are exact. See docs/decisions/013-statistics.md.
create table aftercall.stat_changes (
    caller_id          uuid     not null,
    id                 bigint   not null generated always as identity,
    day                date     not null,
    language           text     not null,
    audio_type         text     not null,
    tags               text[]   not null,
    emotions           text[]   not null,
    emotion_utterances integer[] not null,
    emotion_ms         bigint[] not null,
    -- Names and values of insights, none longer than 80 characters.
    insight_names      text[]   not null,
    insight_values     text[]   not null,
    -- 1 for a job that reached the state, -1 for a job that left it; all that follow have that sign.
    completed          bigint   not null,
    failed             bigint   not null,
    timed_out          bigint   not null,
    canceled           bigint   not null,
    utterances         bigint   not null,
    words              bigint   not null,
    questions          bigint   not null,
    interruptions      bigint   not null,
    duration_ms        bigint   not null,
    talk_ms            bigint   not null,
    silence_ms         bigint   not null,
    overlap_ms         bigint   not null,
    turnaround_ms      bigint   not null,
    -- A change that the sums cannot take must not stop the others: it is set aside, with the SQLSTATE of the error.
    -- It stays here, where it counts as before, and is not tried again.
    set_aside          text,
    constraint stat_changes_pkey primary key (caller_id, id)
)
-- Rows live for seconds.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);

create table aftercall.stats (
    caller_id     uuid   not null,
    -- all, tag, tag_detail, emotion or insight; `name` is the insight's, and `value` is empty for all. Sums of tag
    -- and insight are over all languages and audio types, the others by language and audio type.
    dimension     text   collate "C" not null,
    name          text   collate "C" not null,
    -- day or month, and its first day.
    grain         text   collate "C" not null,
    period        date   not null,
    value         text   collate "C" not null,
    -- Empty where the request did not say, and for tag and insight.
    language      text   collate "C" not null,
    audio_type    text   collate "C" not null,
    completed     bigint not null,
    failed        bigint not null,
    timed_out     bigint not null,
    canceled      bigint not null,
    utterances    bigint not null,
    words         bigint not null,
    questions     bigint not null,
    interruptions bigint not null,
    duration_ms   bigint not null,
    talk_ms       bigint not null,
    silence_ms    bigint not null,
    overlap_ms    bigint not null,
    turnaround_ms bigint not null,
    constraint stats_pkey primary key
        (caller_id, dimension, name, grain, period, value, language, audio_type)
) with (fillfactor = 70);

-- What a change adds to which sums.
create function aftercall.stat_cells(change aftercall.stat_changes) returns table (
    dimension text, name text, value text, language text, audio_type text, completed bigint,
    failed bigint, timed_out bigint, canceled bigint, utterances bigint, words bigint,
    questions bigint, interruptions bigint, duration_ms bigint, talk_ms bigint, silence_ms bigint,
    overlap_ms bigint, turnaround_ms bigint)
language sql immutable
as $$
    select cell.*, change.completed, change.failed, change.timed_out, change.canceled,
        change.utterances, change.words, change.questions, change.interruptions, change.duration_ms,
        change.talk_ms, change.silence_ms, change.overlap_ms, change.turnaround_ms
    from (
        select 'all', '', '', change.language, change.audio_type
        union all select 'tag', '', tag, '', '' from unnest(change.tags) tag
        union all select 'tag_detail', '', tag, change.language, change.audio_type
        from unnest(change.tags) tag
        union all select 'insight', i.name, i.value, '', ''
        from unnest(change.insight_names, change.insight_values) as i (name, value)
    ) cell
    union all
    select 'emotion', '', e.emotion, change.language, change.audio_type, change.completed, 0, 0, 0,
        change.completed * e.utterances, 0, 0, 0, 0, change.completed * e.ms, 0, 0, 0
    from unnest(change.emotions, change.emotion_utterances, change.emotion_ms)
        as e (emotion, utterances, ms)
$$;

-- Counts jobs (sign 1), or takes back that they were counted (-1), each in the state given beside it. To be called
-- before a counted job's conversation or insights change or go, and after.
--
-- It is planned once a session, perhaps while a month is still empty. The best plan is then to read the whole table,
-- which would stay in use until the tables are analyzed; hence no sequential scans.
create function aftercall.count_jobs(jobs uuid[], states text[], signs integer[]) returns void
language plpgsql set jit = off set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    insert into aftercall.stat_changes (caller_id, day, language, audio_type, tags, emotions,
        emotion_utterances, emotion_ms, insight_names, insight_values, completed, failed, timed_out,
        canceled, utterances, words, questions, interruptions, duration_ms, talk_ms, silence_ms,
        overlap_ms, turnaround_ms)
    select j.caller_id, (j.created_at at time zone 'UTC')::date,
        coalesce(j.request ->> 'languageCode', ''), coalesce(j.request ->> 'audioType', ''),
        array(select distinct unnest(j.tags)), coalesce(c.emotions, '{}'),
        coalesce(c.emotion_utterances, '{}'), coalesce(c.emotion_ms, '{}'),
        coalesce(i.names, '{}'), coalesce(i.values, '{}'),
        case g.state when 'completed' then g.sign else 0 end,
        case g.state when 'failed' then g.sign else 0 end,
        case g.state when 'timed_out' then g.sign else 0 end,
        case g.state when 'canceled' then g.sign else 0 end,
        coalesce(g.sign * c.utterances, 0), coalesce(g.sign * c.words, 0),
        coalesce(g.sign * c.questions, 0), coalesce(g.sign * c.interruptions, 0),
        coalesce(g.sign * c.duration_ms, 0), coalesce(g.sign * c.talk_ms, 0),
        coalesce(g.sign * c.silence_ms, 0), coalesce(g.sign * c.overlap_ms, 0),
        coalesce(case g.state when 'completed' then g.sign
            * floor(extract(epoch from j.finished_at - j.created_at) * 1000)::bigint end, 0)
    from unnest(jobs, states, signs) as g (id, state, sign)
    join aftercall.jobs j on j.id = g.id
    left join aftercall.conversations c on c.job_id = g.id and g.state = 'completed'
    left join (
        select v.job_id, array_agg(v.name) as names, array_agg(v.value) as values
        from (
            select distinct i.job_id, i.name, i.value
            from aftercall.conversation_insights i
            where i.job_id = any(jobs) and length(i.name) <= 80 and length(i.value) <= 80
        ) v
        group by v.job_id
    ) i on i.job_id = c.job_id;
end
$$;

-- Every transition is counted, whichever statement makes it.
create function aftercall.count_transitions() returns trigger
language plpgsql
as $$
declare
    ids    uuid[];
    states text[];
    signs  integer[];
begin
    select array_agg(t.id), array_agg(t.state), array_agg(t.sign) into ids, states, signs
    from (
        select o.id, o.state, -1
        from before o join after n on n.id = o.id
        where o.finished_at is not null and o.state <> n.state
        union all
        select n.id, n.state, 1
        from before o join after n on n.id = o.id
        where n.finished_at is not null and o.state <> n.state
    ) as t (id, state, sign);
    if ids is not null then
        perform aftercall.count_jobs(ids, states, signs);
    end if;
    return null;
end
$$;
create trigger jobs_counted after update on aftercall.jobs
    referencing old table as before new table as after
    for each statement execute function aftercall.count_transitions();

-- Adds these changes, whose rows the caller has locked, to the sums.
create function aftercall.add_to_stats(callers uuid[], ids bigint[]) returns void
language plpgsql set jit = off
as $$
declare
    nothing tid[];
begin
    with gone as (
        delete from aftercall.stat_changes d using unnest(callers, ids) as due (caller_id, id)
        where (d.caller_id, d.id) = (due.caller_id, due.id)
        returning d as change
    ), sum as (
        insert into aftercall.stats as s
        select (g.change).caller_id, c.dimension, c.name, p.grain,
            date_trunc(p.grain, (g.change).day::timestamp)::date, c.value, c.language, c.audio_type,
            sum(c.completed), sum(c.failed), sum(c.timed_out), sum(c.canceled),
            sum(c.utterances), sum(c.words), sum(c.questions), sum(c.interruptions),
            sum(c.duration_ms), sum(c.talk_ms), sum(c.silence_ms), sum(c.overlap_ms),
            sum(c.turnaround_ms)
        from gone g
        cross join lateral aftercall.stat_cells(g.change) c
        cross join (values ('day'), ('month')) as p (grain)
        group by 1, 2, 3, 4, 5, 6, 7, 8
        order by 1, 2, 3, 4, 5, 6, 7, 8
        on conflict on constraint stats_pkey do update set
            completed = s.completed + excluded.completed, failed = s.failed + excluded.failed,
            timed_out = s.timed_out + excluded.timed_out, canceled = s.canceled + excluded.canceled,
            utterances = s.utterances + excluded.utterances, words = s.words + excluded.words,
            questions = s.questions + excluded.questions,
            interruptions = s.interruptions + excluded.interruptions,
            duration_ms = s.duration_ms + excluded.duration_ms,
            talk_ms = s.talk_ms + excluded.talk_ms, silence_ms = s.silence_ms + excluded.silence_ms,
            overlap_ms = s.overlap_ms + excluded.overlap_ms,
            turnaround_ms = s.turnaround_ms + excluded.turnaround_ms
        returning s.ctid as place, (s.completed, s.failed, s.timed_out, s.canceled, s.utterances,
                s.words, s.questions, s.interruptions, s.duration_ms, s.talk_ms, s.silence_ms,
                s.overlap_ms, s.turnaround_ms)
            = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) as is_empty
    )
    select (select array_agg(place) from sum where is_empty) into nothing;
    -- Sums that are back to zero leave no row.
    delete from aftercall.stats where ctid = any(nothing);
end
$$;

-- Adds up to `most` changes to the sums; returns how many there were, and how many of them the sums cannot take.
-- Several sessions may do so at once: they take different changes, and lock the sums in the order of their key.
create function aftercall.merge_stat_changes(most integer, out taken integer, out refused integer)
language plpgsql set jit = off
as $$
declare
    callers uuid[];
    ids     bigint[];
begin
    refused := 0;
    select array_agg(due.caller_id), array_agg(due.id), count(*) into callers, ids, taken
    from (
        select d.caller_id, d.id from aftercall.stat_changes d where d.set_aside is null
        order by d.caller_id, d.id limit most for update skip locked
    ) due;
    if taken = 0 then
        return;
    end if;
    begin
        perform aftercall.add_to_stats(callers, ids);
    exception when data_exception or program_limit_exceeded then
        -- One of them fails them all, so each is added on its own.
        for n in 1..taken loop
            begin
                perform aftercall.add_to_stats(callers[n:n], ids[n:n]);
            exception when data_exception or program_limit_exceeded then
                update aftercall.stat_changes set set_aside = sqlstate
                where (caller_id, id) = (callers[n], ids[n]);
                refused := refused + 1;
            end;
        end loop;
    end;
end
$$;

-- The sums as they are now.
create view aftercall.exact_stats as
select caller_id, dimension, name, grain, period, value, language, audio_type, completed, failed,
    timed_out, canceled, utterances, words, questions, interruptions, duration_ms, talk_ms,
    silence_ms, overlap_ms, turnaround_ms
from aftercall.stats
union all
select d.caller_id, c.dimension collate "C", c.name collate "C", p.grain collate "C",
    date_trunc(p.grain, d.day::timestamp)::date, c.value collate "C", c.language collate "C",
    c.audio_type collate "C", c.completed, c.failed, c.timed_out, c.canceled, c.utterances, c.words,
    c.questions, c.interruptions, c.duration_ms, c.talk_ms, c.silence_ms, c.overlap_ms,
    c.turnaround_ms
from aftercall.stat_changes d
cross join lateral aftercall.stat_cells(d) c
cross join (values ('day'), ('month')) as p (grain);
