-- What the provider sent that its known contract does not have: counted, and never with a value.
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
    -- The job that it was last seen in; it may be gone.
    example_job_id uuid        not null,
    constraint contract_drift_pkey primary key (kind, path, name),
    constraint contract_drift_kind_known check (kind in
        ('unknown_insight', 'unknown_member', 'unexpected_type', 'unknown_value', 'other'))
);
