-- An Idempotency-Key belongs to the caller, not to one API key: rotating that one pays nothing twice.
--
-- The version before still looks for its own API key, so column and constraint of it stay until a release later.
alter table aftercall.idempotency_keys
    -- Null where another API key of the same caller stored something under the same key later.
    add column caller_id uuid constraint idempotency_keys_caller references aftercall.callers,
    add constraint idempotency_keys_of_caller unique (caller_id, route, key);

update aftercall.idempotency_keys k set caller_id = newest.caller_id
from (
    select distinct on (a.caller_id, i.route, i.key) a.caller_id, i.api_key_id, i.route, i.key
    from aftercall.idempotency_keys i join aftercall.api_keys a on a.id = i.api_key_id
    order by a.caller_id, i.route, i.key, i.created_at desc, i.api_key_id
) newest
where k.api_key_id = newest.api_key_id and k.route = newest.route and k.key = newest.key;

-- What the version before stores names no caller: as the newest it becomes the caller's.
create function aftercall.idempotency_key_of_caller() returns trigger
language plpgsql
as $$
declare
    owner uuid := (select caller_id from aftercall.api_keys where id = new.api_key_id);
begin
    update aftercall.idempotency_keys set caller_id = null
    where caller_id = owner and route = new.route and key = new.key;
    update aftercall.idempotency_keys set caller_id = owner
    where api_key_id = new.api_key_id and route = new.route and key = new.key;
    return null;
end
$$;
create trigger idempotency_keys_of_caller
after insert or update of created_at on aftercall.idempotency_keys
for each row when (new.caller_id is null)
execute function aftercall.idempotency_key_of_caller();
