-- Words of utterances, for searches over all jobs of a caller (docs/decisions/012-search.md).

-- The text search configuration for a language tag (BCP 47): by its first part, `simple` if Postgres has none for it.
-- A name, as a stored OID of a configuration would stop pg_upgrade.
create function aftercall.search_config(language text) returns text
language sql immutable parallel safe
as $$
    select 'pg_catalog.' || case lower(split_part(language, '-', 1))
        when 'en' then 'english' when 'de' then 'german' when 'fr' then 'french'
        when 'es' then 'spanish' when 'it' then 'italian' when 'pt' then 'portuguese'
        when 'nl' then 'dutch' when 'sv' then 'swedish' when 'da' then 'danish'
        when 'no' then 'norwegian' when 'nb' then 'norwegian' when 'nn' then 'norwegian'
        when 'fi' then 'finnish' when 'hu' then 'hungarian' when 'ro' then 'romanian'
        when 'ru' then 'russian' when 'tr' then 'turkish' when 'ca' then 'catalan'
        when 'eu' then 'basque' when 'el' then 'greek' when 'ga' then 'irish'
        when 'id' then 'indonesian' when 'lt' then 'lithuanian' when 'ne' then 'nepali'
        when 'sr' then 'serbian' when 'ta' then 'tamil' when 'ar' then 'arabic'
        when 'hi' then 'hindi' when 'hy' then 'armenian' when 'yi' then 'yiddish'
        else 'simple'
    end
$$;

-- A lexeme that stands for a caller and a configuration. No parser makes one with U+0001 in it, so no word that is
-- said or searched for is ever one.
create function aftercall.search_scope(caller_id uuid, config text) returns text
language sql immutable parallel safe
as $$
    select E'\x01' || left(encode(sha256(convert_to(caller_id || ' ' || config, 'UTF8')), 'base64'), 8)
$$;

-- What a search sees of an utterance: whose it is, and its words. Only the first 50,000 characters of a text count,
-- as a tsvector holds 1 MiB and no result must fail because of it.
create function aftercall.utterance_fts(scope text, config regconfig, text text) returns tsvector
language sql immutable parallel safe
as $$ select array_to_tsvector(array[scope]) || to_tsvector(config, left(text, 50000)) $$;

-- A part of the text with the words found between U+E000 and U+E001, which are removed from the text first. It is not
-- escaped.
create function aftercall.search_snippet(config text, text text, query tsquery) returns text
language sql stable parallel safe
as $$
    select ts_headline(config::regconfig, translate(left(text, 50000), E'\uE000\uE001', ''), query,
        E'StartSel=\uE000, StopSel=\uE001')
$$;

-- The configurations in which a caller has utterances.
create table aftercall.caller_configs (
    caller_id uuid not null constraint caller_configs_caller references aftercall.callers,
    config    text not null,
    constraint caller_configs_pkey primary key (caller_id, config)
);

-- New entries wait in a pending list, which aftercall.flush_search_index empties before it is full; otherwise the session
-- that fills it has to.
create index utterances_fts on aftercall.utterances using gin (fts)
    with (gin_pending_list_limit = 16384);

-- Rows written without `fts`, by COPY for example, are found too.
create function aftercall.fill_utterance_fts() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    job record;
begin
    select caller_id, aftercall.search_config(request ->> 'languageCode') as config into job
    from aftercall.jobs where id = new.job_id;
    if found then
        insert into aftercall.caller_configs values (job.caller_id, job.config)
        on conflict do nothing;
        new.fts := aftercall.utterance_fts(
            aftercall.search_scope(job.caller_id, job.config), job.config::regconfig, new.text);
    end if;
    return new;
end
$$;
create trigger utterances_are_searchable before insert on aftercall.utterances
    for each row when (new.fts is null) execute function aftercall.fill_utterance_fts();

-- Moves the pending lists of the index of words into the index. Does nothing while another session does so. Runs with
-- the rights of the owner, as Postgres requires them.
create function aftercall.flush_search_index() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_try_advisory_xact_lock(hashtext('aftercall.flush_search_index')) then
        perform gin_clean_pending_list(inhrelid)
        from pg_inherits where inhparent = 'aftercall.utterances_fts'::regclass;
    end if;
end
$$;
