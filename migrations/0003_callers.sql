-- The internal apps that may call Aftercall.
create table aftercall.callers (
    id              uuid        not null constraint callers_pkey primary key,
    name            text        not null constraint callers_name_unique unique,
    -- When a job of this caller was last submitted to the provider; the dispatcher takes turns by it.
    last_served_at  timestamptz,
    created_at      timestamptz not null default now(),
    constraint callers_name_form check (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$')
);

-- `ac_<id>_<secret>`: the id finds the row; of the whole key only the SHA-256 is stored.
create table aftercall.api_keys (
    id           text        not null constraint api_keys_pkey primary key,
    caller_id    uuid        not null constraint api_keys_caller references aftercall.callers,
    name         text        not null,
    key_sha      bytea       not null constraint api_keys_sha_length check (octet_length(key_sha) = 32),
    -- What the key may do beyond what every key may: its caller's own jobs.
    scopes       text[]      not null default '{}'
        constraint api_keys_scopes_known check (scopes <@ array['admin:read', 'admin:write']),
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
create index api_keys_by_caller on aftercall.api_keys (caller_id);
