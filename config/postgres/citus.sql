-- Distributes Aftercall's largest tables over the nodes of a Citus cluster: docs/citus.md. With `database.distributed`,
-- `aftercall migrate` runs this file before and after the migrations. Where it may not alter roles, an administrator
-- runs it, connected to Aftercall's database on the coordinator, before `aftercall migrate`:
--
--     psql -v ON_ERROR_STOP=1 -f config/postgres/citus.sql "$ADMIN_DATABASE_URL"
--
-- Running it again changes nothing. The first time, it moves all rows of these tables to the other nodes and locks the
-- tables meanwhile.

do $$
begin
    -- What changes a distributed table reaches the other nodes in a session of the table's owner.
    if to_regrole('aftercall_owner') is null then
        create role aftercall_owner login;
    elsif not (select rolcanlogin from pg_roles where rolname = 'aftercall_owner') then
        alter role aftercall_owner login;
    end if;
end
$$;

do $$
declare
    name text;
begin
    -- It reads jobs, which are not on the nodes that would run it. The service writes `fts` itself.
    if exists (select from pg_trigger where tgrelid = to_regclass('aftercall.utterances')
        and tgname = 'utterances_are_searchable')
    then
        drop trigger utterances_are_searchable on aftercall.utterances;
    end if;
    -- Only what is never joined with other tables by anything but the job's id.
    foreach name in array array[
        'results', 'utterances', 'speakers', 'speaker_names', 'speaker_insights', 'questions']
    loop
        continue when to_regclass('aftercall.' || name) is null
            or exists (select from pg_dist_partition where logicalrelid = to_regclass('aftercall.' || name));
        -- The rows of a job are together on one node.
        perform create_distributed_table('aftercall.' || name, 'job_id',
            colocate_with => case name when 'results' then 'none' else 'aftercall.results' end);
    end loop;
end
$$;
