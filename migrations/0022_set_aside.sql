-- What the sums of statistics cannot take stops nobody else's statistics: such a change is set aside.
-- It stays in this table, where answers count it as before, and is not tried again.
alter table aftercall.stat_changes
    -- The SQLSTATE with which it was refused.
    add column set_aside text;

-- Adds these changes to the sums; the caller has locked them.
create function aftercall.add_to_stats(callers uuid[], ids bigint[]) returns void
language plpgsql set jit = off
as $$
declare
    nothing tid[];
begin
    with gone as (
        delete from aftercall.stat_changes d using unnest(callers, ids) as due (caller_id, id)
        where (d.caller_id, d.id) = (due.caller_id, due.id)
        returning d as change
    ), sum as (
        insert into aftercall.stats as s
        select (g.change).caller_id, c.dimension, c.name, p.grain,
            date_trunc(p.grain, (g.change).day::timestamp)::date, c.value, c.language, c.audio_type,
            sum(c.completed), sum(c.failed), sum(c.timed_out), sum(c.canceled),
            sum(c.utterances), sum(c.words), sum(c.questions), sum(c.interruptions),
            sum(c.duration_ms), sum(c.talk_ms), sum(c.silence_ms), sum(c.overlap_ms),
            sum(c.turnaround_ms)
        from gone g
        cross join lateral aftercall.stat_cells(g.change) c
        cross join (values ('day'), ('month')) as p (grain)
        group by 1, 2, 3, 4, 5, 6, 7, 8
        order by 1, 2, 3, 4, 5, 6, 7, 8
        on conflict on constraint stats_pkey do update set
            completed = s.completed + excluded.completed, failed = s.failed + excluded.failed,
            timed_out = s.timed_out + excluded.timed_out, canceled = s.canceled + excluded.canceled,
            utterances = s.utterances + excluded.utterances, words = s.words + excluded.words,
            questions = s.questions + excluded.questions,
            interruptions = s.interruptions + excluded.interruptions,
            duration_ms = s.duration_ms + excluded.duration_ms,
            talk_ms = s.talk_ms + excluded.talk_ms, silence_ms = s.silence_ms + excluded.silence_ms,
            overlap_ms = s.overlap_ms + excluded.overlap_ms,
            turnaround_ms = s.turnaround_ms + excluded.turnaround_ms
        returning s.ctid as place, (s.completed, s.failed, s.timed_out, s.canceled, s.utterances,
                s.words, s.questions, s.interruptions, s.duration_ms, s.talk_ms, s.silence_ms,
                s.overlap_ms, s.turnaround_ms)
            = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) as is_empty
    )
    select (select array_agg(place) from sum where is_empty) into nothing;
    -- What nobody said any more leaves no trace.
    delete from aftercall.stats where ctid = any(nothing);
end
$$;

-- Adds up to `most` changes to the sums: how many there were, and how many of them the sums do not
-- take. Several may do so at once: they take different changes, and lock the sums in the order of
-- their key.
create function aftercall.merge_stat_changes(most integer, out taken integer, out refused integer)
language plpgsql set jit = off
as $$
declare
    callers uuid[];
    ids     bigint[];
begin
    refused := 0;
    select array_agg(due.caller_id), array_agg(due.id), count(*) into callers, ids, taken
    from (
        select d.caller_id, d.id from aftercall.stat_changes d where d.set_aside is null
        order by d.caller_id, d.id limit most for update skip locked
    ) due;
    if taken = 0 then
        return;
    end if;
    begin
        perform aftercall.add_to_stats(callers, ids);
    exception when data_exception or program_limit_exceeded then
        -- One of them spoils it for all, so each goes by itself.
        for n in 1..taken loop
            begin
                perform aftercall.add_to_stats(callers[n:n], ids[n:n]);
            exception when data_exception or program_limit_exceeded then
                update aftercall.stat_changes set set_aside = sqlstate
                where (caller_id, id) = (callers[n], ids[n]);
                refused := refused + 1;
            end;
        end loop;
    end;
end
$$;

-- As replicas of an earlier version call it.
create or replace function aftercall.merge_stats(most integer) returns integer
language sql set jit = off
as $$ select taken from aftercall.merge_stat_changes(most) $$;
