-- One row per rate group of the provider, shared by all replicas.
create table aftercall.provider_gate (
    rate_group     text          not null constraint provider_gate_pkey primary key,
    -- Calls in the current window, by purpose.
    submissions    timestamptz[] not null default '{}',
    polls          timestamptz[] not null default '{}',
    -- The limit that the provider last named, if it is not the configured one.
    limit_seen     integer,
    blocked_until  timestamptz,
    -- Since when the provider has refused submissions for a reason that no job is to blame for: our credentials, or
    -- the address. All columns that follow are null while it does not. Until it accepts one again, one is sent at
    -- `probe_at`.
    refused_since  timestamptz,
    -- auth, upstream: the class of the jobs' errors.
    refused_class  text,
    -- What it last responded with; null where there was no such response, as when the login was refused.
    refused_status integer,
    refused_code   text,
    probe_at       timestamptz,
    constraint provider_gate_refused_class_known check (refused_class in ('auth', 'upstream')),
    constraint provider_gate_refused_whole check (
        (refused_since is null) = (refused_class is null) and (refused_since is null) = (probe_at is null))
);
insert into aftercall.provider_gate (rate_group) values ('heavy');

-- What the provider sent beyond its known contract: counted, and never with a value.
create table aftercall.contract_drift (
    kind           text        not null,
    -- Where in the body, from its root; `*` for any index, a known insight's name for its index.
    path           text        not null,
    name           text        not null,
    -- Types and names of what was first seen there.
    sample         json        not null,
    deliveries     bigint      not null,
    first_seen_at  timestamptz not null default now(),
    last_seen_at   timestamptz not null default now(),
    -- The job in which it was last seen, which may no longer exist.
    example_job_id uuid        not null,
    constraint contract_drift_pkey primary key (kind, path, name),
    constraint contract_drift_kind_known check (kind in
        ('unknown_insight', 'unknown_member', 'unexpected_type', 'unknown_value', 'other'))
);
