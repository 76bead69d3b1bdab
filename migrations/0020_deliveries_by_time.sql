-- no-transaction
-- For dashboards, which look at deliveries of all jobs by time. One transaction for each partition, as the deliveries of a
-- month wait while its index is built: a second for a million of them, since their bodies are not read. (The names of the
-- partitions depend on when the database was made, so that no statement can name them to build it concurrently.)
do $$
declare
    part regclass;
    name text;
begin
    perform set_config('lock_timeout', '2s', true);
    create index if not exists deliveries_by_time on only aftercall.deliveries (received_at);
    commit;
    for part in select inhrelid from pg_inherits where inhparent = 'aftercall.deliveries'::regclass order by 1 loop
        name := (select relname from pg_class where oid = part) || '_received_at_idx';
        perform set_config('lock_timeout', '2s', true);
        execute format('create index if not exists %I on %s (received_at)', name, part);
        execute format('alter index aftercall.deliveries_by_time attach partition aftercall.%I', name);
        commit;
    end loop;
end
$$;
