-- Since when the provider refuses submissions for what is no fault of theirs: our credentials, or the address.
-- All columns are null while it does not. Until it accepts one again, one is sent at `probe_at`.
alter table aftercall.provider_gate
    add column refused_since  timestamptz,
    -- auth, upstream: the class of the jobs' errors
    add column refused_class  text,
    -- What it last answered; null where there was no answer of that kind, such as a login that was refused.
    add column refused_status integer,
    add column refused_code   text,
    add column probe_at       timestamptz,
    add constraint provider_gate_refused_class_known check (refused_class in ('auth', 'upstream')),
    add constraint provider_gate_refused_whole check (
        (refused_since is null) = (refused_class is null) and (refused_since is null) = (probe_at is null));

alter table aftercall.attempts drop constraint attempts_outcome_known;
-- misdirected: the answer was about the address, not about the job.
alter table aftercall.attempts add constraint attempts_outcome_known check (outcome in
    ('open', 'accepted', 'refused', 'throttled', 'broken', 'unreachable', 'unauthorized', 'misdirected',
     'unknown'));
