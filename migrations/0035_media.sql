-- Uploaded recordings. The bytes are in the store, under the row's caller and id.
set local lock_timeout = '5s';

create table aftercall.media (
    id uuid primary key,
    caller_id uuid not null references aftercall.callers (id),
    sha256 bytea not null,
    bytes bigint not null,
    encoding text not null,
    container text not null,
    codec text not null,
    channels integer not null,
    sample_rate integer not null,
    duration_seconds double precision not null,
    created_at timestamptz not null default now(),
    -- Until then, the object may be missing or incomplete.
    stored_at timestamptz,
    -- From then on, nobody sees the row; it goes once its object is gone.
    removed_at timestamptz,
    -- Of a multipart upload to S3, to abort it.
    upload_id text,
    constraint media_sha256_length check (octet_length(sha256) = 32),
    constraint media_bytes_positive check (bytes > 0)
);

create unique index media_stored_once on aftercall.media (caller_id, sha256)
    where stored_at is not null and removed_at is null;
create index media_of_caller on aftercall.media (caller_id) include (bytes);
create index media_unfinished on aftercall.media (created_at)
    where stored_at is null or removed_at is not null;

alter table aftercall.jobs add column media_id uuid;
-- SHA-256 of the secret in the URL at which the provider fetches the recording for this attempt.
alter table aftercall.attempts add column media_sha bytea;
