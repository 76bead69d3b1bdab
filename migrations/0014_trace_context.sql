set local lock_timeout = '5s';

-- The trace that a job belongs to, as a W3C `traceparent`: that of the request that created it, or what its caller sent
-- where that replica exports no traces. Null without either. Whoever works on the job later continues this trace.
alter table aftercall.jobs add column trace_context text;
alter table aftercall.jobs add constraint jobs_trace_context_is_w3c
    check (trace_context ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$') not valid;
