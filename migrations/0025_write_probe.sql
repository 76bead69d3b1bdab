-- Whether the database takes writes: readiness puts a row here that needs a page of its own, and takes the one
-- before it away. Not logged, so that it costs the log of changes nothing; empty again after a crash.
create unlogged table aftercall.write_probe (filler text not null);
alter table aftercall.write_probe alter column filler set storage plain;
