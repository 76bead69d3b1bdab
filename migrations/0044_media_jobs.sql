-- no-transaction
create index concurrently if not exists jobs_media on aftercall.jobs (media_id)
    where media_id is not null;
