-- What a key may do beyond what every key may: its caller's own jobs.
alter table aftercall.api_keys
    add column scopes text[] not null default '{}'
        constraint api_keys_scopes_known check (scopes <@ array['admin:read', 'admin:write']);
