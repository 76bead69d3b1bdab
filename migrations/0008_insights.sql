-- The result as one document: written once, served verbatim.
create table aftercall.results (
    job_id         uuid        not null constraint results_pkey primary key,
    document       text        not null,
    document_sha   bytea       not null,
    parser_version integer     not null,
    is_partial     boolean     not null,
    speaker_count  integer,
    created_at     timestamptz not null default now()
) partition by range (job_id);
select aftercall.compress_with_lz4('aftercall.results', 'document');

-- The same result as rows. Times are seconds from the start of the recording.
create table aftercall.utterances (
    job_id             uuid             not null,
    seq                integer          not null,
    start_seconds      double precision not null,
    end_seconds        double precision not null,
    text               text             not null,
    confidence         double precision,
    speaker_id         text,
    emotion            text,
    emotion_confidence double precision,
    word_timings       json,
    -- Its words and whose they are, as aftercall.utterance_fts makes it.
    fts                tsvector,
    constraint utterances_pkey primary key (job_id, seq)
) partition by range (job_id);
select aftercall.compress_with_lz4('aftercall.utterances', 'text', 'word_timings');

-- Who speaks in a recording, and how much.
create table aftercall.speakers (
    job_id          uuid             not null,
    speaker_id      text             not null,
    utterance_count integer          not null,
    word_count      integer          not null,
    talk_seconds    double precision not null,
    constraint speakers_pkey primary key (job_id, speaker_id)
) partition by range (job_id);

-- What a caller calls the speakers of a result. Not part of what the provider found: a result that is made anew keeps
-- them.
create table aftercall.speaker_names (
    job_id     uuid not null,
    speaker_id text not null,
    name       text not null,
    constraint speaker_names_pkey primary key (job_id, speaker_id)
) partition by range (job_id);

create table aftercall.speaker_insights (
    job_id     uuid    not null,
    seq        integer not null,
    speaker_id text    not null,
    name       text    not null,
    value      text    not null,
    number     double precision,
    constraint speaker_insights_pkey primary key (job_id, seq)
) partition by range (job_id);

create table aftercall.questions (
    job_id        uuid    not null,
    seq           integer not null,
    speaker_id    text    not null,
    text          text    not null,
    start_seconds double precision,
    end_seconds   double precision,
    constraint questions_pkey primary key (job_id, seq)
) partition by range (job_id);

create table aftercall.conversation_insights (
    job_id        uuid    not null,
    name          text    not null,
    seq           integer not null,
    value         text    not null,
    start_seconds double precision,
    end_seconds   double precision,
    confidence    double precision,
    speaker_id    text,
    extra         json    not null default '{}',
    constraint conversation_insights_pkey primary key (job_id, name, seq)
) partition by range (job_id);

-- Whether two spans of time, their ends excluded, have something in common. A point is in the span that it begins or
-- that contains it.
create function aftercall.overlap(
    a_start double precision, a_end double precision,
    b_start double precision, b_end double precision
) returns boolean
language sql immutable
as $$ select (a_start < b_end and b_start < a_end) or a_start = b_start $$;

select aftercall.ensure_partitions(3);
