with shape as materialized (
    select j.id, j.caller_id, j.created_at, j.language, j.audio_type, j.tags,
        s.speaker_count, s.utterances, s.words, s.questions, s.interruptions,
        s.duration, s.talk, s.silence, s.overlap, s.longest_silence, s.longest_monologue,
        ($19::text[])[s.first_emotion:s.last_emotion] as emotions,
        ($20::int[])[s.first_emotion:s.last_emotion] as emotion_utterances,
        ($21::bigint[])[s.first_emotion:s.last_emotion] as emotion_ms,
        ($22::text[])[s.first_insight:s.last_insight] as insight_names,
        ($23::text[])[s.first_value:s.last_value] as names_of_values,
        ($24::text[])[s.first_value:s.last_value] as insight_values,
        -- A job that is not completed is about to be, in this transaction.
        case when j.state = 'completed' then j.finished_at else now() end as finished_at
    from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
            $13::int[], $14::int[], $15::int[], $16::int[], $17::int[], $18::int[])
        as s (job_id, speaker_count, utterances, words, questions, interruptions,
            duration, talk, silence, overlap, longest_silence, longest_monologue,
            first_emotion, last_emotion, first_insight, last_insight, first_value, last_value)
    join aftercall.jobs j on j.id = s.job_id
), conversation as (
    insert into aftercall.conversations (job_id, caller_id, created_at, language, audio_type, tags,
        speaker_count, utterances, words, questions, interruptions,
        duration_ms, talk_ms, silence_ms, overlap_ms, longest_silence_ms, longest_monologue_ms,
        emotions, emotion_utterances, emotion_ms, insight_names)
    select id, caller_id, created_at, language, audio_type, tags,
        speaker_count, utterances, words, questions, interruptions,
        duration, talk, silence, overlap, longest_silence, longest_monologue,
        emotions, emotion_utterances, emotion_ms, insight_names
    from shape
), speaker as (
    insert into aftercall.conversation_speakers (job_id, speaker_id, utterances, words, questions,
        talk_ms, talk_share, longest_monologue_ms, interrupts, interrupted)
    select * from unnest($25::uuid[], $26::text[], $27::int[], $28::int[], $29::int[],
        $30::bigint[], $31::float8[], $32::bigint[], $33::int[], $34::int[])
), counted as (
    insert into aftercall.stat_changes (caller_id, day, language, audio_type, tags, emotions,
        emotion_utterances, emotion_ms, insight_names, insight_values, completed, failed, timed_out, canceled,
        utterances, words, questions, interruptions, duration_ms, talk_ms, silence_ms, overlap_ms, turnaround_ms)
    select caller_id, (created_at at time zone 'UTC')::date, coalesce(language, ''), coalesce(audio_type, ''),
        case when cardinality(tags) > 1 then array(select distinct unnest(tags)) else tags end, emotions,
        emotion_utterances, emotion_ms, names_of_values, insight_values, 1, 0, 0, 0,
        utterances, words, questions, interruptions, duration, talk, silence, overlap,
        aftercall.ms_between(created_at, finished_at)
    from shape
)
select set_config('aftercall.completions_counted', 'on', true)
