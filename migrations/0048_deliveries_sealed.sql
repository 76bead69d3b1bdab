-- no-transaction
-- For rotating keys. One transaction for each partition, as in 0020: no row is sealed yet, and no body is read.
do $$
declare
    part regclass;
    name text;
begin
    perform set_config('lock_timeout', '2s', true);
    create index if not exists deliveries_sealed on only aftercall.deliveries (id) where body_sealed;
    commit;
    for part in select inhrelid from pg_inherits where inhparent = 'aftercall.deliveries'::regclass order by 1 loop
        name := (select relname from pg_class where oid = part) || '_sealed_idx';
        perform set_config('lock_timeout', '2s', true);
        execute format('create index if not exists %I on %s (id) where body_sealed', name, part);
        execute format('alter index aftercall.deliveries_sealed attach partition aftercall.%I', name);
        commit;
    end loop;
end
$$;
