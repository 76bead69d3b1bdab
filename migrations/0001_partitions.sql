-- Everything Aftercall stores lives in a schema of its own, which must exist before the first migration is recorded
-- in it. The views for dashboards are in a second one, `reporting`.
create schema if not exists aftercall;

-- Tables that grow with every delivery are partitioned by month on the UUIDv7 of their job, whose first 48 bits are
-- milliseconds since 1970 (RFC 9562, section 5.7): the key prunes and drops by age. A migration that adds such a
-- table ends with `select aftercall.ensure_partitions(3)`.

-- The smallest UUID that a UUIDv7 made at `at` can have.
create function aftercall.uuid_floor(at timestamptz) returns uuid
language sql immutable strict
as $$ select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

-- Creates the partitions of last month (clocks differ), this month and the `ahead` months after it. Returns how many
-- were missing. Runs with the rights of the owner, so that the service needs no DDL.
create function aftercall.ensure_partitions(ahead integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    parent   text;
    first    timestamp;
    part     text;
    made     integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('aftercall.ensure_partitions'));
    for parent in
        select c.relname from pg_partitioned_table p
        join pg_class c on c.oid = p.partrelid
        where c.relnamespace = 'aftercall'::regnamespace
        order by c.relname
    loop
        for month in -1..ahead loop
            first := date_trunc('month', now() at time zone 'UTC') + make_interval(months => month);
            part := parent || to_char(first, '_"y"YYYY"m"MM');
            continue when to_regclass(format('aftercall.%I', part)) is not null;
            execute format(
                'create table aftercall.%I partition of aftercall.%I for values from (%L) to (%L)',
                part, parent,
                aftercall.uuid_floor(first at time zone 'UTC'),
                aftercall.uuid_floor((first + interval '1 month') at time zone 'UTC'));
            made := made + 1;
        end loop;
    end loop;
    return made;
end
$$;

-- Compresses these columns with lz4 if the server was built with it: several times faster than pglz in both
-- directions, for nearly the same size. To be called before a table has partitions; they take it over.
create function aftercall.compress_with_lz4(relation regclass, variadic attributes text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    attribute text;
begin
    foreach attribute in array attributes loop
        execute format('alter table %s alter column %I set compression lz4', relation, attribute);
    end loop;
exception when feature_not_supported then
    raise notice 'this server has no lz4; long texts stay compressed with pglz';
end
$$;
