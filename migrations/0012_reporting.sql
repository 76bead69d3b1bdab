-- What dashboards read: views that keep their columns, over the numbers that the API serves. No transcript text. A
-- column is never dropped or changed in meaning: that takes a new version of the view.
create schema reporting;
comment on schema reporting is 'Versioned views for dashboards; no transcript text';

create view reporting.conversations_v1 as
select c.job_id, callers.name as caller, c.created_at, c.language, c.audio_type, c.tags,
    c.speaker_count, c.emotions, c.insight_names, c.utterances, c.words, c.words_per_minute,
    c.questions, c.interruptions, c.duration_ms, c.talk_ms, c.silence_ms, c.overlap_ms,
    c.longest_silence_ms, c.longest_monologue_ms
from aftercall.conversations c
join aftercall.callers on callers.id = c.caller_id;
comment on view reporting.conversations_v1 is 'One row for each job with a result';
comment on column reporting.conversations_v1.job_id is 'Id of the job';
comment on column reporting.conversations_v1.caller is 'Name of the caller whose job it is';
comment on column reporting.conversations_v1.created_at is 'When the job was submitted';
comment on column reporting.conversations_v1.language is 'languageCode of the request';
comment on column reporting.conversations_v1.audio_type is 'audioType of the request; null if not given';
comment on column reporting.conversations_v1.tags is 'Tags of the job';
comment on column reporting.conversations_v1.speaker_count is 'Speakers who talk or about whom something is said';
comment on column reporting.conversations_v1.emotions is 'Emotions that occur';
comment on column reporting.conversations_v1.insight_names is 'Names of the insights that have a value';
comment on column reporting.conversations_v1.utterances is 'Utterances';
comment on column reporting.conversations_v1.words is 'Words, separated by white space';
comment on column reporting.conversations_v1.words_per_minute is 'Words in a minute of talk; null without talk';
comment on column reporting.conversations_v1.questions is 'Questions that the provider found';
comment on column reporting.conversations_v1.interruptions is 'Utterances that interrupt another speaker';
comment on column reporting.conversations_v1.duration_ms is 'End of the last utterance, in milliseconds';
comment on column reporting.conversations_v1.talk_ms is 'Time during which anyone talks, in milliseconds';
comment on column reporting.conversations_v1.silence_ms is 'Time during which no one talks, in milliseconds';
comment on column reporting.conversations_v1.overlap_ms is 'Time during which several speakers talk, in milliseconds';
comment on column reporting.conversations_v1.longest_silence_ms is 'Longest time without talk, in milliseconds';
comment on column reporting.conversations_v1.longest_monologue_ms is 'Longest monologue, in milliseconds';

create view reporting.conversation_speakers_v1 as
select job_id, speaker_id, utterances, words, words_per_minute, questions, talk_ms, talk_share,
    longest_monologue_ms, interrupts, interrupted
from aftercall.conversation_speakers;
comment on view reporting.conversation_speakers_v1 is 'One row for each speaker of a job with a result';
comment on column reporting.conversation_speakers_v1.job_id is 'Id of the job';
comment on column reporting.conversation_speakers_v1.speaker_id is 'The provider''s id of the speaker';
comment on column reporting.conversation_speakers_v1.utterances is 'Utterances of the speaker';
comment on column reporting.conversation_speakers_v1.words is 'Words of the speaker, separated by white space';
comment on column reporting.conversation_speakers_v1.words_per_minute is 'Words in a minute of own talk; null without talk';
comment on column reporting.conversation_speakers_v1.questions is 'Questions that the provider found';
comment on column reporting.conversation_speakers_v1.talk_ms is 'Time during which the speaker talks, in milliseconds';
comment on column reporting.conversation_speakers_v1.talk_share is 'Part of the talk of all speakers, 0 to 1; null if no one talks';
comment on column reporting.conversation_speakers_v1.longest_monologue_ms is 'Longest monologue of the speaker, in milliseconds';
comment on column reporting.conversation_speakers_v1.interrupts is 'Utterances with which the speaker interrupts others';
comment on column reporting.conversation_speakers_v1.interrupted is 'How often others interrupt the speaker';

create view reporting.emotions_v1 as
select c.job_id, e.emotion, e.utterances, e.talk_ms
from aftercall.conversations c
cross join lateral unnest(c.emotions, c.emotion_utterances, c.emotion_ms)
    as e (emotion, utterances, talk_ms);
comment on view reporting.emotions_v1 is 'One row for each emotion in a job with a result';
comment on column reporting.emotions_v1.job_id is 'Id of the job';
comment on column reporting.emotions_v1.emotion is 'Name of the emotion as the provider writes it';
comment on column reporting.emotions_v1.utterances is 'Utterances with this emotion';
comment on column reporting.emotions_v1.talk_ms is 'Sum of the lengths of these utterances, in milliseconds';

create view reporting.conversation_stats_v1 as
select callers.name as caller, s.period as day, nullif(s.language, '') as language,
    nullif(s.audio_type, '') as audio_type, sum(s.completed)::bigint as completed,
    sum(s.failed)::bigint as failed, sum(s.timed_out)::bigint as timed_out,
    sum(s.canceled)::bigint as canceled, sum(s.utterances)::bigint as utterances,
    sum(s.words)::bigint as words, sum(s.questions)::bigint as questions,
    sum(s.interruptions)::bigint as interruptions, sum(s.duration_ms)::bigint as duration_ms,
    sum(s.talk_ms)::bigint as talk_ms, sum(s.silence_ms)::bigint as silence_ms,
    sum(s.overlap_ms)::bigint as overlap_ms, sum(s.turnaround_ms)::bigint as turnaround_ms
from aftercall.exact_stats s
join aftercall.callers on callers.id = s.caller_id
where s.dimension = 'all' and s.grain = 'day'
group by callers.name, s.period, s.language, s.audio_type
having sum(s.completed + s.failed + s.timed_out + s.canceled) > 0;
comment on view reporting.conversation_stats_v1 is 'Sums by day over jobs that have ended, and over their results';
comment on column reporting.conversation_stats_v1.caller is 'Name of the caller whose jobs they are';
comment on column reporting.conversation_stats_v1.day is 'Day (UTC) on which the jobs were submitted';
comment on column reporting.conversation_stats_v1.language is 'languageCode of the requests';
comment on column reporting.conversation_stats_v1.audio_type is 'audioType of the requests; null if not given';
comment on column reporting.conversation_stats_v1.completed is 'Jobs with a result';
comment on column reporting.conversation_stats_v1.failed is 'Jobs that failed';
comment on column reporting.conversation_stats_v1.timed_out is 'Jobs without a result by their deadline';
comment on column reporting.conversation_stats_v1.canceled is 'Jobs canceled by their caller';
comment on column reporting.conversation_stats_v1.utterances is 'Utterances';
comment on column reporting.conversation_stats_v1.words is 'Words, separated by white space';
comment on column reporting.conversation_stats_v1.questions is 'Questions that the provider found';
comment on column reporting.conversation_stats_v1.interruptions is 'Utterances that interrupt another speaker';
comment on column reporting.conversation_stats_v1.duration_ms is 'Sum of the durations, in milliseconds';
comment on column reporting.conversation_stats_v1.talk_ms is 'Time during which anyone talks, in milliseconds';
comment on column reporting.conversation_stats_v1.silence_ms is 'Time during which no one talks, in milliseconds';
comment on column reporting.conversation_stats_v1.overlap_ms is 'Time during which several speakers talk, in milliseconds';
comment on column reporting.conversation_stats_v1.turnaround_ms is 'Time from creation to completion of completed jobs, in milliseconds';
