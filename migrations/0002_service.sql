-- Secrets that all replicas share and no one has to configure.
create table aftercall.service_secrets (
    name   text  not null constraint service_secrets_pkey primary key,
    secret bytea not null
);
insert into aftercall.service_secrets (name, secret)
values ('cursor', sha256(gen_random_uuid()::text::bytea || gen_random_uuid()::text::bytea));

-- Whether the database takes writes: readiness inserts a row that needs a page of its own, and deletes the previous
-- one. Unlogged, so that it adds nothing to the WAL; empty again after a crash.
create unlogged table aftercall.write_probe (filler text not null);
alter table aftercall.write_probe alter column filler set storage plain;
