-- Secrets that are stored and read again are sealed: src/seal. Aftercall knows the keys, Postgres does not.
set local lock_timeout = '5s';

-- The keys that have sealed something. `proof` is a known text sealed by the key, which tells it from another one of
-- the same id.
create table aftercall.seal_keys (
    id         text        not null constraint seal_keys_pkey primary key,
    proof      bytea       not null,
    created_at timestamptz not null default now()
);

-- The recording's URL with its credentials; `request` holds it without them. Null: `request` holds it as given, because
-- it has no credentials or because an earlier release stored it. Empty: it was deleted, as nothing needs it any more.
alter table aftercall.jobs add column content_uri_sealed bytea;

-- Whether `body` is sealed, as that of every delivery is which is not a result: it may quote the recording's URL or our own.
alter table aftercall.deliveries add column body_sealed boolean not null default false;

-- The id of the key that sealed it; null for none.
create function aftercall.seal_key_id(sealed bytea) returns text
    language sql immutable strict parallel safe
    return case when length(sealed) > 2
        then convert_from(substr(sealed, 3, get_byte(sealed, 1)), 'UTF8') end;

-- Replicas of an earlier release would submit a URL without its credentials: they must not claim such a job.
create function aftercall.leave_sealed() returns trigger
    language plpgsql as $$
begin
    if current_setting('aftercall.opens_sealed', true) = 'on' then
        return new;
    end if;
    return null;
end
$$;
create trigger jobs_leave_sealed before update of state on aftercall.jobs
    for each row
    when (old.state = 'queued' and new.state = 'submitting' and new.content_uri_sealed is not null)
    execute function aftercall.leave_sealed();
