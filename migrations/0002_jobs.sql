-- One row per recording to be analysed. Every change goes through src/jobs/.
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
    -- Who is submitting it now; null once nobody waits for the provider's answer.
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

-- Recordings that came as base64 in the request, until the job is completed.
create table aftercall.job_contents (
    job_id  uuid not null constraint job_contents_pkey primary key
        constraint job_contents_job references aftercall.jobs on delete cascade,
    content text not null
);

-- One try at handing a job to the provider. Its row is committed before the provider is called.
create table aftercall.attempts (
    job_id          uuid        not null constraint attempts_job references aftercall.jobs on delete cascade,
    number          integer     not null,
    -- SHA-256 of the secret in the webhook URL of this attempt.
    token_sha       bytea       not null constraint attempts_sha_length check (octet_length(token_sha) = 32),
    outcome         text        not null default 'open',
    provider_job_id text,
    error           json,
    created_at      timestamptz not null default now(),
    -- When the provider's answer, or the lack of one, was recorded.
    answered_at     timestamptz,
    constraint attempts_pkey primary key (job_id, number),
    -- open: being submitted. unknown: no answer came, it may have been accepted.
    constraint attempts_outcome_known check (outcome in
        ('open', 'accepted', 'refused', 'throttled', 'broken', 'unreachable', 'unauthorized', 'unknown'))
);

-- Answers to requests that carried an Idempotency-Key, stored with what they did.
create table aftercall.idempotency_keys (
    api_key_id  text        not null constraint idempotency_keys_api_key references aftercall.api_keys,
    route       text        not null,
    key         text        not null,
    -- SHA-256 of the request body.
    fingerprint bytea       not null,
    location    text        not null,
    body        text        not null,
    created_at  timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (api_key_id, route, key)
);
create index idempotency_keys_age on aftercall.idempotency_keys (created_at);

-- One row per rate group of the provider, shared by all replicas.
create table aftercall.provider_gate (
    rate_group    text          not null constraint provider_gate_pkey primary key,
    -- Calls of the last window, by what they were for.
    submissions   timestamptz[] not null default '{}',
    polls         timestamptz[] not null default '{}',
    -- The limit the provider last named, if it is not the configured one.
    limit_seen    integer,
    blocked_until timestamptz
);
insert into aftercall.provider_gate (rate_group) values ('heavy');
