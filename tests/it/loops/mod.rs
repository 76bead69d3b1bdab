//! Properties that must hold every time, tested many times. `TEST_TURNS=1000 cargo test --test it
//! loops` runs more turns than `cargo test` has time for.
mod early;
mod killed;
mod lost;

use sqlx::PgPool;

/// The number of turns, from `TEST_TURNS` if set.
fn turns(otherwise: usize) -> usize {
    let asked = std::env::var("TEST_TURNS").ok();
    asked.map_or(otherwise, |text| text.parse().expect("TEST_TURNS is a number"))
}

/// How jobs ended, and how many ended that way.
async fn ends(db: &PgPool) -> Vec<(String, i64)> {
    let query = "
        select concat_ws(', ', state || coalesce(' via ' || completed_via, ''),
            (select concat('attempts: ', string_agg(outcome, ' ' order by number))
                from aftercall.attempts where job_id = id and provider_job_id is not null),
            (select count(*) || ' result' from aftercall.results where job_id = id),
            (select count(*) || ' utterances' from aftercall.utterances where job_id = id),
            (select string_agg(kind, ' ' order by seq) from aftercall.job_events
                where job_id = id and kind <> 'delivery')), count(*)
        from aftercall.jobs group by 1";
    sqlx::query_as(query).fetch_all(db).await.unwrap()
}
