-- A job's earlier deliveries are found by the job, and are few: ingest.attempt_deliveries of each attempt. An index of
-- their bodies as well cost every delivery more than it saved any.
set local lock_timeout = '5s';
-- Not concurrently, which a partitioned index cannot be dropped.
-- squawk-ignore require-concurrent-index-deletion
drop index aftercall.deliveries_by_body;
