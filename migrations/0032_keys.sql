-- API keys: a scope for everything, a rate of their own, and successors.

set local lock_timeout = '2s';

-- Replaced by a wider one.
-- squawk-ignore ban-drop-constraint
alter table aftercall.api_keys drop constraint api_keys_scopes_known;
-- Rows that exist were checked against fewer scopes, so there is nothing to validate.
alter table aftercall.api_keys add constraint api_keys_scopes_known check (scopes <@ array[
    'jobs:write', 'jobs:read', 'transcript:read', 'transcript:raw', 'search:read', 'stats:read', 'notify:write',
    'erasure:write', 'admin:read', 'admin:write']) not valid;

-- Until now every key could do this, and one with admin:read could read raw deliveries.
update aftercall.api_keys set scopes = scopes
    || array['jobs:write', 'jobs:read', 'transcript:read', 'search:read', 'stats:read']
    || case when 'admin:read' = any (scopes) then array['transcript:raw'] else '{}' end;

alter table aftercall.api_keys
    -- Requests per keys.rate_window; null: keys.rate_limit.
    add column rate integer,
    -- The key that replaces this one, which expires after an overlap.
    add column successor_id text;
alter table aftercall.api_keys add constraint api_keys_rate_positive check (rate > 0) not valid;

-- The processes that serve the API, each of which enforces its part of the rate limits. A process that has not been seen
-- for a while has ended.
create table aftercall.api_replicas (
    id      uuid        not null constraint api_replicas_pkey primary key,
    seen_at timestamptz not null default now()
);
