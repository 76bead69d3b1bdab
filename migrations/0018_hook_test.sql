-- The self-test of the public webhook URL: one replica at a time posts to it from outside, as the provider does.

set local lock_timeout = '2s';

-- Authenticates the tokens of self-tests, whose deliveries store nothing.
insert into aftercall.service_secrets (name, secret)
values ('hook_test', sha256(gen_random_uuid()::text::bytea || gen_random_uuid()::text::bytea));

-- One row: the last test.
create table aftercall.hook_test (
    is_only    boolean          not null default true
        constraint hook_test_pkey primary key constraint hook_test_is_only check (is_only),
    -- When a replica last began a test; null before the first.
    started_at timestamptz,
    -- The result of the last test that ended; null before the first.
    tested_at  timestamptz,
    is_up      boolean,
    seconds    double precision,
    -- What was wrong, without the URL; null while it is up.
    fault      text,
    constraint hook_test_whole check (
        (tested_at is null) = (is_up is null) and (tested_at is null) = (seconds is null)
        and (fault is null or not is_up))
);
insert into aftercall.hook_test default values;
