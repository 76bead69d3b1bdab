-- What reaches the webhook of an attempt beyond `ingest.attempt_deliveries` and `ingest.attempt_bytes` without
-- ending its job: how many deliveries, of how many bytes in all, and the SHA-256 of the last.
alter table aftercall.attempts
    add column surplus       bigint not null default 0,
    add column surplus_bytes bigint not null default 0,
    add column surplus_sha   bytea;
