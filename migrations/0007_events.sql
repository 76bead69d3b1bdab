-- Events have no number in the order of their commits. What is new since a moment is found by snapshots instead:
-- docs/decisions/011-events.md.
create sequence aftercall.job_event_positions as bigint;

-- The timeline of a job: one row per change of its row, seq = the version it got.
create table aftercall.job_events (
    job_id     uuid        not null,
    seq        integer     not null,
    kind       text        not null,
    detail     json        not null default '{}',
    created_at timestamptz not null default now(),
    -- Of the transaction that wrote it.
    xid        xid8        not null default pg_current_xact_id(),
    -- Rises from event to event of one job; across jobs it is roughly the order of writing.
    position   bigint      not null default nextval('aftercall.job_event_positions'),
    constraint job_events_pkey primary key (job_id, seq),
    -- The kinds of src/jobs/kind.rs, and no others.
    constraint job_events_kind_known check (kind in
        ('queued', 'submitting', 'submitted', 'requeued', 'unconfirmed', 'abandoned', 'delivery', 'completed',
         'failed', 'timed_out', 'canceled', 'replayed', 'reparsed', 'speakers_named'))
) partition by range (job_id);
create index job_events_by_xid on aftercall.job_events (xid);

select aftercall.ensure_partitions(3);
