-- Events have no number in the order of their commits. What is new since a moment is told by snapshots instead:
-- docs/decisions/011-events.md.
create sequence aftercall.job_event_positions as bigint;

alter table aftercall.job_events
    -- Of the transaction that wrote it. 2 is older than every transaction: nobody waits for the rows of today.
    add column xid xid8 not null default '2',
    -- Rises from event to event of one job; across jobs it is about the order of their writing.
    add column position bigint not null default 0;
alter table aftercall.job_events
    alter column xid set default pg_current_xact_id(),
    alter column position set default nextval('aftercall.job_event_positions');

create index job_events_by_xid on aftercall.job_events (xid);
