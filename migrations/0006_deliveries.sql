-- Every request that reached the webhook URL of an attempt, and every final response of the status endpoint: what
-- results are made from. Never rewritten.
create table aftercall.deliveries (
    job_id      uuid        not null,
    id          uuid        not null,
    attempt     integer     not null,
    via         text        not null,
    outcome     text        not null,
    -- Why it was not accepted.
    reason      text,
    headers     json        not null,
    -- The bytes as received; null when an earlier delivery of this job had the same ones.
    body        bytea,
    body_sha    bytea       not null,
    body_bytes  integer     not null,
    received_at timestamptz not null default now(),
    -- A replay reads a stored delivery again and leaves a row of its own without the bytes, which are in the row that
    -- it names here.
    replay_of   uuid,
    constraint deliveries_pkey primary key (job_id, id),
    constraint deliveries_via_known check (via in ('webhook', 'poll', 'replay')),
    constraint deliveries_outcome_known check (outcome in
        ('accepted', 'duplicate', 'late', 'superseded', 'malformed', 'mismatch')),
    constraint deliveries_body_kept
        check (body is not null or outcome = 'duplicate' or via = 'replay'),
    constraint deliveries_replay_names_original check ((via = 'replay') = (replay_of is not null))
) partition by range (job_id);
create index deliveries_by_body on aftercall.deliveries (job_id, body_sha);
-- For operators, who name a delivery by its id and read the newest first. Ids rise with time, so that new entries are
-- appended.
create index deliveries_by_id on aftercall.deliveries (id);
-- Deliveries that may be in quarantine: few.
create index deliveries_set_aside on aftercall.deliveries (id)
    where outcome in ('malformed', 'mismatch') and via <> 'replay';

select aftercall.compress_with_lz4('aftercall.deliveries', 'body');
select aftercall.ensure_partitions(3);
