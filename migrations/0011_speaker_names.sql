-- What a caller calls the speakers of a result. Not part of what the provider found: a result that
-- is made anew keeps them.
create table aftercall.speaker_names (
    job_id     uuid not null,
    speaker_id text not null,
    name       text not null,
    constraint speaker_names_pkey primary key (job_id, speaker_id)
) partition by range (job_id);

-- A partition for every month that utterances have one for: jobs of those months exist.
do $$
declare
    of record;
begin
    for of in
        select substr(c.relname, length('utterances') + 1) as month,
            pg_get_expr(c.relpartbound, c.oid) as bounds
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'aftercall.utterances'::regclass
    loop
        execute format('create table aftercall.%I partition of aftercall.speaker_names %s',
            'speaker_names' || of.month, of.bounds);
    end loop;
end
$$;
select aftercall.ensure_partitions(3);

-- Whether two spans of time, their ends not counted, have something in common. A point is in the
-- span that it begins or lies in.
create function aftercall.overlap(
    a_start double precision, a_end double precision,
    b_start double precision, b_end double precision
) returns boolean
language sql immutable
as $$ select (a_start < b_end and b_start < a_end) or a_start = b_start $$;
