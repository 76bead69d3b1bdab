-- Endpoints: where callers want to be notified.
set local lock_timeout = '5s';

create table aftercall.endpoints (
    id                    uuid        not null constraint endpoints_pk primary key,
    caller_id             uuid        not null constraint endpoints_caller references aftercall.callers,
    -- May contain credentials; null once deleted.
    url_sealed            bytea,
    -- Without credentials.
    url_shown             text        not null,
    events                text[]      not null,
    -- What the bodies of messages contain beyond the minimum.
    include               text[]      not null default '{}',
    description           text,
    secret                bytea,
    -- Also signs until then.
    previous_secret       bytea,
    previous_secret_until timestamptz,
    -- Null while the secret is the first one.
    rotated_at            timestamptz,
    state                 text        not null default 'active'
        constraint endpoints_state_known check (state in ('active', 'paused', 'disabled')),
    paused_at             timestamptz,
    pause_reason          text
        constraint endpoints_pause_reason_known check (pause_reason in ('by_caller', 'failing', 'gone')),
    -- Since the first of the consecutive failures.
    failing_since         timestamptz,
    failures              int         not null default 0,
    last_success_at       timestamptz,
    -- When an endpoint that paused itself is tried again.
    probe_at              timestamptz,
    created_at            timestamptz not null default now(),
    updated_at            timestamptz not null default now(),
    -- The row stays for the messages that refer to it.
    deleted_at            timestamptz,
    constraint endpoints_can_send check (deleted_at is not null or (url_sealed is not null and secret is not null)),
    constraint endpoints_deleted_has_no_secrets check (
        deleted_at is null or (url_sealed is null and secret is null and previous_secret is null)),
    constraint endpoints_pause_has_reason check ((state = 'active') = (pause_reason is null))
);

-- For the list of a caller, and for whom an event concerns.
create index endpoints_of_caller on aftercall.endpoints (caller_id, id) where deleted_at is null;
