-- Final answers of the provider's status endpoint about this attempt that ended nothing, as they could not be read:
-- the wait before it is asked again doubles with each.
alter table aftercall.attempts add column useless_answers integer not null default 0;
