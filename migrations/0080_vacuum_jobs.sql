-- Each job leaves three dead rows behind, with entries in every index, as each of its updates changes an indexed column.
-- By default they would pile up to a fifth of the table, and the planner would learn of new states after a tenth. All
-- other tables are inserted into, updated in place, or small.
set local lock_timeout = '5s';
alter table aftercall.jobs set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02);
