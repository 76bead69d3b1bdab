//! How far this host's clock is from Postgres's, which decides everything in Aftercall.
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::Finding;

const CHECK: &str = "clock";
/// Beyond this, log lines and timestamps in the database no longer fit together.
const NOTICEABLE: f64 = 2.0;
/// Beyond this, tokens and certificates are judged wrongly, and new ids are of the wrong time.
const HARMFUL: f64 = 60.0;

pub async fn skew(db: &PgPool) -> sqlx::Result<Finding> {
    let mut connection = db.acquire().await?;
    let (since, host) = (Instant::now(), SystemTime::now());
    let theirs = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(&mut *connection)
        .await?;
    let round_trip = since.elapsed();
    Ok(judged(DateTime::from(host), theirs, round_trip))
}

/// `theirs` was read at some time between `host` and `round_trip` later.
fn judged(host: DateTime<Utc>, theirs: DateTime<Utc>, round_trip: Duration) -> Finding {
    let half = round_trip.as_secs_f64() / 2.0;
    #[expect(clippy::cast_precision_loss, reason = "a small number of microseconds")]
    let ahead = (host - theirs).num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6 + half;
    let word = if ahead > 0.0 { "ahead of" } else { "behind" };
    let off = (ahead.abs() - half).max(0.0);
    let detail = format!("this host is {:.1} s {word} Postgres", ahead.abs());
    let advice = "synchronize both clocks (NTP)";
    if off > HARMFUL {
        Finding::fail(CHECK, detail, advice)
    } else if off > NOTICEABLE {
        Finding::warn(CHECK, detail, advice)
    } else {
        Finding::ok(CHECK, format!("within {:.3} s of Postgres", off.max(half).max(0.001)))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn the_round_trip_is_not_skew() {
        let at = |secs: i64| DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap();
        let verdict =
            |host, theirs, secs| judged(at(host), at(theirs), Duration::from_secs(secs)).verdict;
        assert_eq!(verdict(0, 0, 0), Verdict::Ok);
        assert_eq!(verdict(0, 10, 20), Verdict::Ok);
        assert_eq!(verdict(0, 10, 1), Verdict::Warn);
        assert_eq!(verdict(10, 0, 1), Verdict::Warn);
        assert_eq!(verdict(0, 600, 1), Verdict::Fail);
        let told = judged(at(10), at(0), Duration::ZERO);
        assert_eq!(told.detail, "this host is 10.0 s ahead of Postgres");
    }
}
