-- A replay reads a stored delivery again and leaves a row of its own, without the bytes: those are in
-- the row it names.
alter table aftercall.deliveries
    add column replay_of uuid,
    drop constraint deliveries_via_known,
    add constraint deliveries_via_known check (via in ('webhook', 'poll', 'replay')),
    drop constraint deliveries_body_kept,
    add constraint deliveries_body_kept
        check (body is not null or outcome = 'duplicate' or via = 'replay'),
    add constraint deliveries_replay_names_original check ((via = 'replay') = (replay_of is not null));

-- For operators, who know a delivery by its id and look at the newest first. Ids rise with time, so
-- that rows are appended to it.
create index deliveries_by_id on aftercall.deliveries (id);
-- Those that may be in quarantine: few.
create index deliveries_set_aside on aftercall.deliveries (id)
    where outcome in ('malformed', 'mismatch') and via <> 'replay';
