-- The roles of Aftercall and their rights. `aftercall migrate` runs this file before and after the migrations. Where it may
-- not create roles, as on some managed databases, an administrator runs it, once before `aftercall migrate` and once
-- after the first time, connected to Aftercall's database:
--
--     psql -v ON_ERROR_STOP=1 -f config/postgres/roles.sql "$ADMIN_DATABASE_URL"
--
-- It needs a superuser, or a role with CREATEROLE that owns the database. Running it again changes nothing; settings of
-- roles that exist stay as they are. It sets no password: `\password aftercall_runtime` in psql does, or `aftercall migrate`
-- with database.runtime_password and database.reader_password.
--
--   aftercall_owner     owns the schemas and everything in them; nobody logs in as it
--   aftercall_migrator  a member of the owner: runs `aftercall migrate`
--   aftercall_runtime   the service: reads and writes rows, and changes no table
--   aftercall_reader    dashboards: reads the views in the schema `reporting`

do $$
declare
    rights_of text := current_user;
begin
    -- Roles belong to the whole cluster: another database may be creating them at this moment.
    if to_regrole('aftercall_owner') is null then
        begin
            create role aftercall_owner nologin;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
    if to_regrole('aftercall_migrator') is null then
        begin
            create role aftercall_migrator login;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
    if to_regrole('aftercall_runtime') is null then
        begin
            create role aftercall_runtime login;
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
    if to_regrole('aftercall_reader') is null then
        begin
            create role aftercall_reader login connection limit 20;
            alter role aftercall_reader set default_transaction_read_only = on;
            alter role aftercall_reader set statement_timeout = '15s';
            alter role aftercall_reader set lock_timeout = '5s';
            alter role aftercall_reader set idle_in_transaction_session_timeout = '60s';
            -- Compiling a plan would take longer than running it.
            alter role aftercall_reader set jit = off;
            alter role aftercall_reader set work_mem = '32MB';
        exception when duplicate_object or unique_violation then null;
        end;
    end if;
    begin
        if not pg_has_role('aftercall_migrator', 'aftercall_owner', 'usage') then
            grant aftercall_owner to aftercall_migrator;
        end if;
        -- Who creates roles without being a superuser must be a member to give objects to the owner.
        if not pg_has_role(rights_of, 'aftercall_owner', 'usage') then
            execute format('grant aftercall_owner to %I', rights_of);
        end if;
    exception when unique_violation or internal_error then null; -- made at the same time for another database
    end;
end
$$;

-- The database: the owner creates the schemas. Temporary tables could fill the disk.
do $$
declare
    db text := current_database();
begin
    if not has_database_privilege('aftercall_owner', db, 'create') then
        execute format('grant create on database %I to aftercall_owner', db);
    end if;
    if not (has_database_privilege('aftercall_runtime', db, 'connect')
        and has_database_privilege('aftercall_reader', db, 'connect')
        and has_database_privilege('aftercall_migrator', db, 'connect')) then
        execute format('grant connect on database %I to aftercall_migrator, aftercall_runtime, aftercall_reader', db);
    end if;
    if has_database_privilege('aftercall_reader', db, 'temporary') then
        execute format('revoke temporary on database %I from public', db);
    end if;
end
$$;

-- Everything in the two schemas belongs to the owner, including what an earlier version created as another role. Nothing to
-- do, and no lock to wait for, once that is so.
do $$
declare
    change text;
begin
    set local lock_timeout = '5s';
    for change in
        select format('alter schema %I owner to aftercall_owner', n.nspname)
        from pg_namespace n
        where n.nspname in ('aftercall', 'reporting') and n.nspowner <> 'aftercall_owner'::regrole
        union all
        select format('alter %s %s owner to aftercall_owner',
            case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, c.oid::regclass)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('aftercall', 'reporting') and c.relkind in ('r', 'p', 'v', 'S')
            and c.relowner <> 'aftercall_owner'::regrole
            -- The sequence of an identity column goes with its table.
            and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
                and d.refclassid = 'pg_class'::regclass and d.deptype = 'i' and c.relkind = 'S')
        union all
        select format('alter routine %s owner to aftercall_owner', p.oid::regprocedure)
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('aftercall', 'reporting') and p.proowner <> 'aftercall_owner'::regrole
    loop
        execute change;
    end loop;
end
$$;

-- What the service and the dashboards may do, now and with what later migrations add.
do $$
declare
    change text;
begin
    if to_regnamespace('aftercall') is not null then
        if not has_schema_privilege('aftercall_runtime', 'aftercall', 'usage') then
            grant usage on schema aftercall to aftercall_runtime;
        end if;
        for change in
            select format('grant %s on %s to aftercall_runtime',
                case c.relkind when 'v' then 'select' when 'S' then 'usage, select' else 'select, insert, update, delete' end,
                case when c.relkind = 'S' then 'sequence ' else '' end || c.oid::regclass)
            from pg_class c
            where c.relnamespace = 'aftercall'::regnamespace and c.relname <> 'schema_migrations'
                and case c.relkind
                    when 'v' then not has_table_privilege('aftercall_runtime', c.oid, 'select')
                    when 'S' then not has_sequence_privilege('aftercall_runtime', c.oid, 'usage')
                    when 'r' then not has_table_privilege('aftercall_runtime', c.oid, 'delete')
                    when 'p' then not has_table_privilege('aftercall_runtime', c.oid, 'delete')
                    else false end
            union all
            -- Functions that run with the rights of the owner are for the service alone.
            select format('revoke execute on function %s from public', p.oid::regprocedure)
            from pg_proc p
            where p.pronamespace = 'aftercall'::regnamespace and p.prosecdef
                and has_function_privilege('aftercall_reader', p.oid, 'execute')
            union all
            select format('grant execute on function %s to aftercall_runtime', p.oid::regprocedure)
            from pg_proc p
            where p.pronamespace = 'aftercall'::regnamespace and p.prosecdef
        loop
            execute change;
        end loop;
        if to_regclass('aftercall.schema_migrations') is not null then
            revoke insert, update, delete on aftercall.schema_migrations from aftercall_runtime;
            grant select on aftercall.schema_migrations to aftercall_runtime;
        end if;
        alter default privileges for role aftercall_owner in schema aftercall
            grant select, insert, update, delete on tables to aftercall_runtime;
        alter default privileges for role aftercall_owner in schema aftercall
            grant usage, select on sequences to aftercall_runtime;
    end if;
    if to_regnamespace('reporting') is not null then
        if not has_schema_privilege('aftercall_reader', 'reporting', 'usage') then
            grant usage on schema reporting to aftercall_reader;
        end if;
        for change in
            select format('grant select on %s to aftercall_reader', c.oid::regclass)
            from pg_class c
            where c.relnamespace = 'reporting'::regnamespace and c.relkind = 'v'
                and not has_table_privilege('aftercall_reader', c.oid, 'select')
        loop
            execute change;
        end loop;
        alter default privileges for role aftercall_owner in schema reporting grant select on tables to aftercall_reader;
    end if;
end
$$;
