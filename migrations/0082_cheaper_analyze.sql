-- Autovacuum analyzes a table whenever a tenth of it is new. That takes a processor for as long as sorting 30,000 values of
-- each column takes, 0.1 to 0.3 s, in which deliveries wait: most of those that took longest did so for that.
set local lock_timeout = '5s';

-- Set for each partition, as they do not have the settings of their table.
create or replace function aftercall.create_partition(parent text, first timestamp) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    part   text := parent || to_char(first, '_"y"YYYY"m"MM');
    target record;
begin
    if to_regclass(format('aftercall.%I', part)) is not null then
        return false;
    end if;
    execute format(
        'create table aftercall.%I (like aftercall.%I
            including defaults including constraints including generated including storage including compression)',
        part, parent);
    for target in
        select attname, attstattarget from pg_attribute
        where attrelid = format('aftercall.%I', parent)::regclass and attnum > 0 and not attisdropped and attstattarget >= 0
    loop
        execute format('alter table aftercall.%I alter column %I set statistics %s', part, target.attname, target.attstattarget);
    end loop;
    execute format('alter table aftercall.%I attach partition aftercall.%I for values from (%L) to (%L)',
        parent, part, aftercall.uuid_floor(first at time zone 'UTC'),
        aftercall.uuid_floor((first + interval '1 month') at time zone 'UTC'));
    return true;
end
$$;

do $$
declare
    of_table record;
    name     text;
begin
    for of_table in
        values
            -- What waits for seconds to be added up.
            ('hour_changes', 10, null), ('stat_changes', 10, null),
            -- Looked up by their job, or the newest of them.
            ('attempts', 10, null), ('job_events', 10, null), ('deliveries', 10, null), ('results', 10, null),
            ('speakers', 10, null), ('conversation_speakers', 10, null), ('speaker_insights', 10, null),
            ('questions', 10, null),
            -- Numbers that are added up, and by which none is looked up.
            ('conversations', 0, array['emotion_utterances', 'emotion_ms', 'utterances', 'words', 'questions',
                'interruptions', 'duration_ms', 'talk_ms', 'silence_ms', 'overlap_ms', 'longest_silence_ms',
                'longest_monologue_ms', 'words_per_minute'])
    loop
        for name in
            select attname from pg_attribute
            where attrelid = format('aftercall.%I', of_table.column1)::regclass and attnum > 0 and not attisdropped
                and (of_table.column3 is null or attname = any(of_table.column3))
        loop
            execute format('alter table aftercall.%I alter column %I set statistics %s', of_table.column1, name, of_table.column2);
        end loop;
    end loop;
-- Citus cannot set it for a distributed table, whose nodes then analyze as before.
exception when feature_not_supported then
    raise notice 'statistics stay as they are: %', sqlerrm;
end
$$;
