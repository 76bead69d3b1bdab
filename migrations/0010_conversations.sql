-- The shape of a conversation: who talks when, how long and over whom. Stored in the transaction of its result;
-- docs/conversation-shape.md has the definitions. Times are whole milliseconds, so that all sums are exact.
create table aftercall.conversations (
    job_id               uuid        not null constraint conversations_pkey primary key,
    -- Of the job.
    caller_id            uuid        not null,
    created_at           timestamptz not null,
    language             text,
    audio_type           text,
    tags                 text[]      not null,
    -- Everyone who speaks or about whom something is said.
    speaker_count        integer     not null,
    -- Distinct, sorted, and none longer than 80 characters, so that they can be indexed.
    emotions             text[]      not null,
    insight_names        text[]      not null,
    -- For each of the emotions: utterances, and the sum of their lengths.
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
    -- Part of the talk of all speakers, 0 to 1; null if no one talks.
    talk_share           double precision,
    longest_monologue_ms bigint  not null,
    interrupts           integer not null,
    interrupted          integer not null,
    words_per_minute     double precision generated always as
        (round(words * 60000.0 / nullif(talk_ms, 0), 1)::double precision) stored,
    constraint conversation_speakers_pkey primary key (job_id, speaker_id)
) partition by range (job_id);

select aftercall.ensure_partitions(3);
