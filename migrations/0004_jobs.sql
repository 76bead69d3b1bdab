-- One row per recording to be analyzed. Every change goes through src/jobs/.
create table aftercall.jobs (
    id               uuid        not null constraint jobs_pkey primary key,
    caller_id        uuid        not null constraint jobs_caller references aftercall.callers,
    external_id      text,
    tags             text[]      not null default '{}',
    metadata         json        not null default '{}',
    -- What the provider is sent, in the caller's own members; `content` is kept in job_contents.
    request          json        not null,
    state            text        not null default 'queued',
    -- Counts the changes of this row, and is the seq of the event that each of them writes.
    version          integer     not null default 1,
    -- queued: when to submit. submitting: when the attempt counts as abandoned, or as lost once its
    -- fate is unknown. submitted: when to ask the provider instead of waiting on.
    due_at           timestamptz,
    -- The process that is submitting it; null once none waits for the provider's response.
    lease_id         uuid,
    -- Attempts that ended in an outage or an unknown fate.
    failures         integer     not null default 0,
    completed_via    text,
    -- Why the last attempt failed, or why the job did.
    error            json,
    created_at       timestamptz not null default now(),
    deadline_at      timestamptz not null,
    submitted_at     timestamptz,
    finished_at      timestamptz,
    -- What jobs are listed by: docs/decisions/010-how-jobs-are-filtered.md.
    language         text        generated always as (request ->> 'languageCode') stored,
    audio_type       text        generated always as (request ->> 'audioType') stored,
    constraint jobs_state_known check (state in
        ('queued', 'submitting', 'submitted', 'completed', 'failed', 'timed_out', 'canceled')),
    constraint jobs_finished_when_final check
        ((state in ('completed', 'failed', 'timed_out', 'canceled')) = (finished_at is not null)),
    constraint jobs_due_unless_final check ((finished_at is null) = (due_at is not null)),
    constraint jobs_completed_via_known check (completed_via in ('webhook', 'poll', 'replay')),
    constraint jobs_completed_has_via check (state <> 'completed' or completed_via is not null)
);
create index jobs_of_caller on aftercall.jobs (caller_id, id);
create index jobs_queue on aftercall.jobs (caller_id, due_at, id) where state = 'queued';
create index jobs_in_flight on aftercall.jobs (state, due_at) where state in ('submitting', 'submitted');
create index jobs_deadlines on aftercall.jobs (deadline_at) where finished_at is null;

create index jobs_by_external_id on aftercall.jobs (caller_id, external_id, id)
    where external_id is not null;
-- Jobs that are not completed are few, and asked for often. For lists alone: a statement that changes jobs of certain
-- states by their ids must not choose it, as it would read the whole index while Postgres has no statistics. Hence a
-- condition that follows only from the same words.
create index jobs_not_completed on aftercall.jobs (caller_id, id)
    where (state <> 'completed') is true;
create index jobs_completed on aftercall.jobs (caller_id, finished_at, id)
    where state = 'completed';
-- Nearly all jobs have the default, and are found without an index; the others by an index of few rows.
create index jobs_by_language on aftercall.jobs (caller_id, language, id)
    where language <> 'en-US';
create index jobs_by_audio_type on aftercall.jobs (caller_id, audio_type, id)
    where audio_type is not null;

-- Recordings that came as base64 in the request, until the job is completed.
create table aftercall.job_contents (
    job_id  uuid not null constraint job_contents_pkey primary key
        constraint job_contents_job references aftercall.jobs on delete cascade,
    content text not null
);
select aftercall.compress_with_lz4('aftercall.job_contents', 'content');

-- Each tag of each job once, in the order that jobs are listed in.
create table aftercall.job_tags (
    caller_id uuid not null,
    tag       text not null,
    job_id    uuid not null,
    constraint job_tags_pkey primary key (caller_id, tag, job_id)
);

-- The tags of a job never change. A trigger writes them, so that jobs loaded by COPY are found too.
create function aftercall.tag_job() returns trigger
language plpgsql
as $$
begin
    insert into aftercall.job_tags (caller_id, tag, job_id)
    select new.caller_id, tag, new.id from unnest(new.tags) as tag
    on conflict on constraint job_tags_pkey do nothing;
    return null;
end
$$;
create trigger jobs_are_tagged after insert on aftercall.jobs
    for each row when (cardinality(new.tags) > 0) execute function aftercall.tag_job();

-- One attempt at submitting a job to the provider. Its row is committed before the provider is called.
create table aftercall.attempts (
    job_id          uuid        not null constraint attempts_job references aftercall.jobs on delete cascade,
    number          integer     not null,
    -- SHA-256 of the token in the webhook URL of this attempt.
    token_sha       bytea       not null constraint attempts_sha_length check (octet_length(token_sha) = 32),
    outcome         text        not null default 'open',
    provider_job_id text,
    error           json,
    created_at      timestamptz not null default now(),
    -- When the provider's response, or the lack of one, was recorded.
    answered_at     timestamptz,
    -- What reaches the webhook beyond `ingest.attempt_deliveries` and `ingest.attempt_bytes` without ending the job:
    -- how many deliveries, of how many bytes in all, and the SHA-256 of the last.
    surplus         bigint      not null default 0,
    surplus_bytes   bigint      not null default 0,
    surplus_sha     bytea,
    -- Final responses of the provider's status endpoint that could not be read and ended nothing: the wait before the
    -- next request doubles with each.
    useless_answers integer     not null default 0,
    constraint attempts_pkey primary key (job_id, number),
    -- open: being submitted. misdirected: the response was about the address, not about the job. unknown: no response
    -- came; it may have been accepted.
    constraint attempts_outcome_known check (outcome in
        ('open', 'accepted', 'refused', 'throttled', 'broken', 'unreachable', 'unauthorized', 'misdirected',
         'unknown'))
);

-- Whether a success may still end a job: the job is open, or it was ended without the provider saying so. Its
-- deadline passed, or a failure was presumed: no submission was ever confirmed, or the provider was out of order each
-- time. What the provider refused (validation) or reported as failed (analysis) is final.
create function aftercall.awaits_result(state text, error json) returns boolean
language sql immutable parallel safe
as $$
    select state in ('queued', 'submitting', 'submitted', 'timed_out')
        or state = 'failed' and coalesce(error ->> 'class' not in ('validation', 'analysis'), false)
$$;

-- Responses to requests that carried an Idempotency-Key, stored in the transaction of what they did. A key belongs to
-- the caller, not to one API key: rotating API keys submits nothing twice.
create table aftercall.idempotency_keys (
    caller_id   uuid        not null constraint idempotency_keys_caller references aftercall.callers,
    route       text        not null,
    key         text        not null,
    -- SHA-256 of the request body.
    fingerprint bytea       not null,
    location    text        not null,
    body        text        not null,
    created_at  timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (caller_id, route, key)
);
create index idempotency_keys_age on aftercall.idempotency_keys (created_at);
