-- Long texts are compressed with lz4 where the server was built with it: several times faster than
-- pglz both ways, for nearly the same size. Partitions made later take it over from their table.
do $$
declare
    of record;
begin
    for of in
        select c.oid::regclass as relation, a.attname as attribute
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'aftercall'::regnamespace and c.relkind in ('r', 'p')
          and (c.relname ~ '^(deliveries|results|utterances)(_y[0-9]{4}m[0-9]{2})?$'
              or c.relname = 'job_contents')
          and a.attname in ('body', 'document', 'text', 'word_timings', 'content')
    loop
        execute format('alter table %s alter column %I set compression lz4', of.relation, of.attribute);
    end loop;
exception when feature_not_supported then
    raise notice 'this server has no lz4; long texts stay compressed with pglz';
end
$$;
