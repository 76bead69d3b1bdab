-- What jobs are listed by. See docs/decisions/010.
alter table aftercall.jobs
    add column language   text generated always as (request ->> 'languageCode') stored,
    add column audio_type text generated always as (request ->> 'audioType') stored;

create index jobs_by_external_id on aftercall.jobs (caller_id, external_id, id)
    where external_id is not null;
-- Those that are not completed are few, and asked for often.
create index jobs_not_completed on aftercall.jobs (caller_id, id) where state <> 'completed';
create index jobs_completed on aftercall.jobs (caller_id, finished_at, id)
    where state = 'completed';
-- The default is what nearly all have: it is found without an index, the others by one of few rows.
create index jobs_by_language on aftercall.jobs (caller_id, language, id)
    where language <> 'en-US';
create index jobs_by_audio_type on aftercall.jobs (caller_id, audio_type, id)
    where audio_type is not null;

-- Each tag of each job once, in the order that jobs are listed in.
create table aftercall.job_tags (
    caller_id uuid not null,
    tag       text not null,
    job_id    uuid not null,
    constraint job_tags_pkey primary key (caller_id, tag, job_id)
);

-- The tags of a job never change. A trigger writes them, so that jobs taken in by a replica of an
-- earlier version, or loaded by COPY, are found as well.
create function aftercall.tag_job() returns trigger
language plpgsql
as $$
begin
    insert into aftercall.job_tags (caller_id, tag, job_id)
    select new.caller_id, tag, new.id from unnest(new.tags) as tag
    on conflict on constraint job_tags_pkey do nothing;
    return null;
end
$$;
create trigger jobs_are_tagged after insert on aftercall.jobs
    for each row when (cardinality(new.tags) > 0) execute function aftercall.tag_job();

insert into aftercall.job_tags (caller_id, tag, job_id)
select distinct caller_id, tag, id from aftercall.jobs, unnest(tags) as tag;
