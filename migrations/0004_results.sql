-- The timeline of a job: one row per change of its row, seq = the version it got.
create table aftercall.job_events (
    job_id     uuid        not null,
    seq        integer     not null,
    kind       text        not null,
    detail     json        not null default '{}',
    created_at timestamptz not null default now(),
    constraint job_events_pkey primary key (job_id, seq)
) partition by range (job_id);

-- Every request that reached the webhook URL of an attempt, and every final answer of the status
-- endpoint: what results are made from. Never rewritten.
create table aftercall.deliveries (
    job_id      uuid        not null,
    id          uuid        not null,
    attempt     integer     not null,
    via         text        not null,
    outcome     text        not null,
    -- Why it was not accepted.
    reason      text,
    headers     json        not null,
    -- The bytes as received; null when an earlier delivery of this job had the same ones.
    body        bytea,
    body_sha    bytea       not null,
    body_bytes  integer     not null,
    received_at timestamptz not null default now(),
    constraint deliveries_pkey primary key (job_id, id),
    constraint deliveries_via_known check (via in ('webhook', 'poll')),
    constraint deliveries_outcome_known check (outcome in
        ('accepted', 'duplicate', 'late', 'superseded', 'malformed', 'mismatch')),
    constraint deliveries_body_kept check (body is not null or outcome = 'duplicate')
) partition by range (job_id);
create index deliveries_by_body on aftercall.deliveries (job_id, body_sha);

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
    constraint utterances_pkey primary key (job_id, seq)
) partition by range (job_id);

-- Who speaks in a recording, and how much.
create table aftercall.speakers (
    job_id          uuid             not null,
    speaker_id      text             not null,
    utterance_count integer          not null,
    word_count      integer          not null,
    talk_seconds    double precision not null,
    constraint speakers_pkey primary key (job_id, speaker_id)
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

select aftercall.ensure_partitions(3);
