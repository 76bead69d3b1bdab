-- The same as before at less cost: a job's language and kind of recording are read from columns instead of
-- its request, which would be parsed again for each, and most jobs have no tags that may repeat.
set local lock_timeout = '5s';

create or replace function aftercall.count_jobs(jobs uuid[], states text[], signs integer[]) returns void
language plpgsql set jit = off set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    insert into aftercall.stat_changes (caller_id, day, language, audio_type, tags, emotions,
        emotion_utterances, emotion_ms, insight_names, insight_values, completed, failed, timed_out,
        canceled, utterances, words, questions, interruptions, duration_ms, talk_ms, silence_ms,
        overlap_ms, turnaround_ms)
    select j.caller_id, (j.created_at at time zone 'UTC')::date,
        coalesce(j.language, ''), coalesce(j.audio_type, ''),
        case when cardinality(j.tags) > 1 then array(select distinct unnest(j.tags)) else j.tags end,
        coalesce(c.emotions, '{}'), coalesce(c.emotion_utterances, '{}'), coalesce(c.emotion_ms, '{}'),
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
