//! The views for dashboards, by the ranges that dashboards ask for.
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::{assert_selective, plan};
use crate::support::db::TestDb;

/// Ninety days of jobs with an attempt and a delivery each, most of them completed.
const SEED: &str = "
insert into aftercall.callers (id, name) select uuid_floor, 'c-' || n
from generate_series(1, 5) n, aftercall.uuid_floor(to_timestamp(n));
insert into aftercall.jobs (id, caller_id, request, state, completed_via, due_at, deadline_at, created_at, finished_at)
select (left(aftercall.uuid_floor(at)::text, 24) || lpad(n::text, 12, '0'))::uuid,
    aftercall.uuid_floor(to_timestamp(1 + n % 5)), '{}', case when is_open then 'queued' else 'completed' end,
    case when not is_open then 'webhook' end, case when is_open then now() end, now() + interval '1 hour', at,
    case when not is_open then at + interval '1 minute' end
from generate_series(1, 20000) n
cross join lateral (select now() - n * interval '6 minutes' as at, n <= 20 as is_open) t;
insert into aftercall.attempts (job_id, number, token_sha, outcome, created_at)
select id, 1, sha256(''), 'accepted', created_at from aftercall.jobs where state = 'completed';
insert into aftercall.deliveries (job_id, id, attempt, via, outcome, headers, body, body_sha, body_bytes, received_at)
select id, id, 1, 'webhook', 'accepted', '{}', 'x', sha256('x'), 1, created_at
from aftercall.jobs where created_at >= date_trunc('month', now());
select aftercall.merge_hour_changes(1000000);
vacuum analyze";

#[tokio::test]
async fn dashboards_read_the_range_that_they_show() {
    let db = TestDb::new().await;
    for statement in SEED.split_inclusive(';') {
        sqlx::query(statement).execute(&db.pool).await.unwrap();
    }
    for statement in [
        "select state, count(*) from reporting.jobs_v1 where created_at @ group by 1",
        "select * from reporting.jobs_v1 where created_at @ order by created_at desc limit 50",
        "select outcome, count(*) from reporting.attempts_v1 where started_at @ group by 1",
        "select outcome, count(*) from reporting.deliveries_v1 where received_at @ group by 1",
        "select * from reporting.deliveries_v1 where received_at @ order by received_at desc limit 50",
        "select count(*), min(received_at) from reporting.deliveries_v1 where is_quarantined",
        "select hour, sum(created) from reporting.job_hourly_v1 where hour @ group by 1",
        "select error_code, sum(jobs) from reporting.job_failure_hourly_v1 where hour @ group by 1",
        "select outcome, sum(attempts) from reporting.attempt_hourly_v1 where hour @ group by 1",
        "select * from reporting.unfinished_jobs_v1",
        "select * from reporting.queue_v1",
        "select * from reporting.queue_summary_v1",
        "select * from reporting.callers_v1",
    ] {
        let range = "between now() - interval '1 day' and now()";
        let sql = AssertSqlSafe(statement.replace('@', range));
        let plan = plan(&db.pool, QueryBuilder::new(sql.0)).await;
        assert_selective(&db.pool, &plan).await;
    }
}
