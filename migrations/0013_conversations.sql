-- The shape of a conversation: who talks when, how long and over whom. Computed from the rows of a
-- result by the transaction that stores them; docs/conversation-shape.md has the definitions. Times
-- are whole milliseconds, so that all sums are exact.
create table aftercall.conversations (
    job_id               uuid        not null constraint conversations_pkey primary key,
    -- Of the job.
    caller_id            uuid        not null,
    created_at           timestamptz not null,
    language             text,
    audio_type           text,
    tags                 text[]      not null,
    -- Everybody who speaks or about whom something is said.
    speaker_count        integer     not null,
    -- Distinct, sorted, and none longer than 80 characters, so that they can be indexed.
    emotions             text[]      not null,
    insight_names        text[]      not null,
    -- Of each of the emotions: utterances, and the sum of their lengths.
    emotion_utterances   integer[]   not null,
    emotion_ms           bigint[]    not null,
    utterances           integer     not null,
    words                integer     not null,
    questions            integer     not null,
    interruptions        integer     not null,
    duration_ms          bigint      not null,
    talk_ms              bigint      not null,
    silence_ms           bigint      not null,
    overlap_ms           bigint      not null,
    longest_silence_ms   bigint      not null,
    longest_monologue_ms bigint      not null,
    words_per_minute     double precision generated always as
        (round(words * 60000.0 / nullif(talk_ms, 0), 1)::double precision) stored
) partition by range (job_id);
create index conversations_contents on aftercall.conversations using gin (emotions, insight_names);

create table aftercall.conversation_speakers (
    job_id               uuid    not null,
    speaker_id           text    not null,
    utterances           integer not null,
    words                integer not null,
    questions            integer not null,
    talk_ms              bigint  not null,
    -- Part of the talk of all speakers, 0 to 1; null when nobody talks.
    talk_share           double precision,
    longest_monologue_ms bigint  not null,
    interrupts           integer not null,
    interrupted          integer not null,
    words_per_minute     double precision generated always as
        (round(words * 60000.0 / nullif(talk_ms, 0), 1)::double precision) stored,
    constraint conversation_speakers_pkey primary key (job_id, speaker_id)
) partition by range (job_id);

-- Partitions for the months that the other tables of results have.
do $$
declare
    made record;
begin
    for made in
        select parent.name, replace(c.relname, 'utterances', parent.name) as partition,
            pg_get_expr(c.relpartbound, c.oid) as bounds
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        cross join (values ('conversations'), ('conversation_speakers')) as parent (name)
        where i.inhparent = 'aftercall.utterances'::regclass
    loop
        execute format('create table aftercall.%I partition of aftercall.%I %s',
            made.partition, made.name, made.bounds);
    end loop;
end
$$;
select aftercall.ensure_partitions(3);

-- Words between white space as Unicode defines it (property White_Space). Not strict: that would keep
-- it from being inlined.
create function aftercall.word_count(said text) returns integer
language sql immutable parallel safe
as $$
    select cardinality(array_remove(string_to_array(translate(said,
        E'\t\n\x0B\f\r\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009'
            || E'\u200A\u2028\u2029\u202F\u205F\u3000',
        '                        '), ' '), ''))
$$;

-- Of utterances with a speaker: which ends last, and which does of those of all other speakers. Each is
-- a number of its end in milliseconds and, in the lowest 28 bits, its speaker: the higher the number
-- there, the lower the rank, which decides between two that end at once.
create function aftercall.later_of_two(latest bigint[], next bigint) returns bigint[]
language plpgsql immutable strict parallel safe
as $$
begin
    if (next & 268435455) = (latest[1] & 268435455) then
        latest[1] := greatest(latest[1], next);
    elsif next > latest[1] then
        latest := array[next, latest[1]];
    elsif next > latest[2] then
        latest[2] := next;
    end if;
    return latest;
end
$$;
create aggregate aftercall.latest_two(bigint) (
    sfunc = aftercall.later_of_two, stype = bigint[], initcond = '{0,0}', parallel = safe
);

-- The utterances of these jobs on the clock of their shapes, with their `place` in the order of time and
-- among those of their own speaker; `before` and `own_before`, when the last of the earlier ones ended;
-- `run`, alike for neighbours of one speaker; `rank`, the speaker's number; and `latest`, of all
-- that began before it.
create function aftercall.timed_utterances(jobs uuid[]) returns table (
    job_id uuid, speaker_id text, rank bigint, emotion text, start_ms bigint, end_ms bigint,
    own_place bigint, own_before bigint, run bigint, before bigint, latest bigint[])
language sql stable
as $$
    select u.job_id, u.speaker_id, u.rank, u.emotion, u.start_ms, u.end_ms, u.own_place, u.own_before,
        row_number() over time - u.own_place,
        coalesce(max(u.end_ms) over (time rows between unbounded preceding and 1 preceding), 0),
        aftercall.latest_two(
            case when u.speaker_id is not null then (u.end_ms << 28) + 268435455 - u.rank end)
            over (partition by u.job_id order by u.start_ms
                range between unbounded preceding and 1 preceding)
    from (
        select u.*,
            dense_rank() over (partition by u.job_id order by u.speaker_id collate "C") as rank,
            row_number() over own_time as own_place,
            coalesce(max(u.end_ms)
                over (own_time rows between unbounded preceding and 1 preceding), 0) as own_before
        from (
            select u.job_id, u.seq, u.speaker_id, u.emotion,
                round(u.start_seconds * 1000)::bigint as start_ms,
                round(u.end_seconds * 1000)::bigint as end_ms
            from aftercall.utterances u
            where u.job_id = any(jobs)
        ) u
        window own_time as (partition by u.job_id, u.speaker_id collate "C"
            order by u.start_ms, u.end_ms, u.seq)
    ) u
    window time as (partition by u.job_id order by u.start_ms, u.end_ms, u.seq)
$$;

-- Writes the shapes of these jobs, which must have none yet. A result without rows has one as well.
-- Planned once a session: planning takes several times as long as one small result.
create function aftercall.store_conversations(jobs uuid[]) returns void
language plpgsql set jit = off set plan_cache_mode = force_generic_plan
as $$
begin
    with said as materialized (
        select * from aftercall.timed_utterances(jobs)
    ), interruption as (
        select m.job_id, m.rank as by, 268435455 - (m.other & 268435455) as of
        from (
            select s.*, case when (s.latest[1] & 268435455) = 268435455 - s.rank
                then s.latest[2] else s.latest[1] end as other
            from said s where s.speaker_id is not null
        ) m
        where m.start_ms < m.other >> 28 and m.other >> 28 < m.end_ms
    ), talk as (
        select s.job_id, s.speaker_id, s.rank,
            sum(greatest(0, s.end_ms - greatest(s.start_ms, s.own_before))) as talk_ms
        from said s where s.speaker_id is not null
        group by s.job_id, s.speaker_id, s.rank
    ), monologue as (
        select r.job_id, r.speaker_id, max(r.ms) as ms
        from (
            select s.job_id, s.speaker_id, max(s.end_ms) - min(s.start_ms) as ms
            from said s where s.speaker_id is not null
            group by s.job_id, s.speaker_id, s.run
        ) r
        group by r.job_id, r.speaker_id
    ), question as (
        select q.job_id, q.speaker_id, count(*) as questions
        from aftercall.questions q where q.job_id = any(jobs)
        group by q.job_id, q.speaker_id
    ), heard as (
        select s.job_id, s.speaker_id, s.utterance_count as utterances, s.word_count as words
        from aftercall.speakers s where s.job_id = any(jobs)
        union all
        select q.job_id, q.speaker_id, 0, 0 from question q where not exists (
            select from aftercall.speakers s where (s.job_id, s.speaker_id) = (q.job_id, q.speaker_id))
    ), speaker as (
        insert into aftercall.conversation_speakers (job_id, speaker_id, utterances, words, questions,
            talk_ms, talk_share, longest_monologue_ms, interrupts, interrupted)
        select h.job_id, h.speaker_id, h.utterances, h.words, coalesce(q.questions, 0),
            coalesce(t.talk_ms, 0),
            round(coalesce(t.talk_ms, 0)
                / nullif(sum(t.talk_ms) over (partition by h.job_id), 0), 4),
            coalesce(m.ms, 0), coalesce(made.count, 0), coalesce(suffered.count, 0)
        from heard h
        left join talk t on (t.job_id, t.speaker_id) = (h.job_id, h.speaker_id)
        left join monologue m on (m.job_id, m.speaker_id) = (h.job_id, h.speaker_id)
        left join question q on (q.job_id, q.speaker_id) = (h.job_id, h.speaker_id)
        left join (select i.job_id, i.by, count(*) from interruption i group by i.job_id, i.by) made
            on (made.job_id, made.by) = (t.job_id, t.rank)
        left join (select i.job_id, i.of, count(*) from interruption i group by i.job_id, i.of)
            suffered on (suffered.job_id, suffered.of) = (t.job_id, t.rank)
        returning job_id, words, questions, longest_monologue_ms, interrupts
    ), overlap as (
        select o.job_id, sum(o.ms) as ms
        from (
            select e.job_id, case when sum(e.step) over (partition by e.job_id order by e.at
                    rows unbounded preceding) > 1
                then lead(e.at) over (partition by e.job_id order by e.at) - e.at end as ms
            from (
                select s.job_id, edge.at, edge.step
                from said s
                cross join lateral (values (greatest(s.start_ms, s.own_before), 1), (s.end_ms, -1))
                    as edge (at, step)
                where s.speaker_id is not null and s.end_ms > greatest(s.start_ms, s.own_before)
            ) e
        ) o
        group by o.job_id
    ), emotion as (
        select e.job_id, array_agg(e.emotion order by e.emotion collate "C") as names,
            array_agg(e.utterances order by e.emotion collate "C") as utterances,
            array_agg(e.ms order by e.emotion collate "C") as ms
        from (
            select s.job_id, s.emotion, count(*) as utterances, sum(s.end_ms - s.start_ms) as ms
            from said s where length(s.emotion) <= 80
            group by s.job_id, s.emotion
        ) e
        group by e.job_id
    ), insight as (
        select i.job_id, array_agg(i.name order by i.name collate "C") as names
        from (
            select c.job_id, c.name from aftercall.conversation_insights c where c.job_id = any(jobs)
            union select s.job_id, s.name from aftercall.speaker_insights s where s.job_id = any(jobs)
        ) i
        where length(i.name) <= 80
        group by i.job_id
    ), whole as (
        select s.job_id, count(*) as utterances, max(s.end_ms) as duration_ms,
            sum(greatest(0, s.end_ms - greatest(s.start_ms, s.before))) as talk_ms,
            max(greatest(0, s.start_ms - s.before)) as longest_silence_ms
        from said s
        group by s.job_id
    ), unattributed as (
        select u.job_id, sum(aftercall.word_count(u.text)) as words
        from aftercall.utterances u where u.job_id = any(jobs) and u.speaker_id is null
        group by u.job_id
    ), of_speakers as (
        select s.job_id, count(*) as speakers, sum(s.words) as words, sum(s.questions) as questions,
            max(s.longest_monologue_ms) as longest_monologue_ms, sum(s.interrupts) as interruptions
        from speaker s
        group by s.job_id
    )
    insert into aftercall.conversations (job_id, caller_id, created_at, language, audio_type, tags,
        speaker_count, emotions, insight_names, emotion_utterances, emotion_ms,
        utterances, words, questions, interruptions, duration_ms, talk_ms, silence_ms, overlap_ms,
        longest_silence_ms, longest_monologue_ms)
    select j.id, j.caller_id, j.created_at, j.request ->> 'languageCode', j.request ->> 'audioType',
        j.tags, coalesce(s.speakers, 0), coalesce(e.names, '{}'), coalesce(i.names, '{}'),
        coalesce(e.utterances, '{}'), coalesce(e.ms, '{}'),
        coalesce(w.utterances, 0), coalesce(s.words, 0) + coalesce(n.words, 0),
        coalesce(s.questions, 0), coalesce(s.interruptions, 0),
        coalesce(w.duration_ms, 0), coalesce(w.talk_ms, 0),
        coalesce(w.duration_ms - w.talk_ms, 0), coalesce(o.ms, 0), coalesce(w.longest_silence_ms, 0),
        coalesce(s.longest_monologue_ms, 0)
    from aftercall.jobs j
    left join whole w on w.job_id = j.id
    left join of_speakers s on s.job_id = j.id
    left join unattributed n on n.job_id = j.id
    left join overlap o on o.job_id = j.id
    left join emotion e on e.job_id = j.id
    left join insight i on i.job_id = j.id
    where j.id = any(jobs);
end
$$;

-- How long each speaker talks in each stretch of `bucket_ms` of a recording; only where they do.
create function aftercall.talk_in_buckets(job uuid, bucket_ms bigint)
returns table (bucket bigint, speaker_id text, talk_ms bigint)
language sql stable
as $$
    select b.n, t.speaker_id,
        sum(least(t.end_ms, (b.n + 1) * bucket_ms) - greatest(t.begin_ms, b.n * bucket_ms))::bigint
    from (
        select u.speaker_id, greatest(u.start_ms, u.own_before) as begin_ms, u.end_ms
        from aftercall.timed_utterances(array[job]) u
        where u.speaker_id is not null
    ) t
    cross join lateral generate_series(t.begin_ms / bucket_ms, (t.end_ms - 1) / bucket_ms) as b (n)
    where t.end_ms > t.begin_ms
    group by b.n, t.speaker_id
$$;

-- Each speaker's runs of utterances with one emotion.
create function aftercall.emotion_runs(job uuid) returns table (
    speaker_id text, emotion text, start_ms bigint, end_ms bigint, utterances bigint)
language sql stable
as $$
    select r.speaker_id, r.emotion, min(r.start_ms), max(r.end_ms), count(*)
    from (
        select u.*, u.own_place - row_number()
            over (partition by u.speaker_id, u.emotion order by u.own_place) as emotion_run
        from aftercall.timed_utterances(array[job]) u
        where u.speaker_id is not null
    ) r
    where r.emotion is not null
    group by r.speaker_id, r.emotion, r.emotion_run
$$;

-- Results that are there already.
do $$
declare
    batch uuid[];
    done  uuid := '00000000-0000-0000-0000-000000000000';
begin
    loop
        select array_agg(r.job_id order by r.job_id) into batch from (
            select job_id from aftercall.results where job_id > done order by job_id limit 500
        ) r;
        exit when batch is null;
        perform aftercall.store_conversations(batch);
        done := batch[cardinality(batch)];
    end loop;
end
$$;
