//! What in an overview needs attention. The limits are those of the alarms.
use std::time::Duration;

use super::Overview;

/// A due job is submitted within seconds while the provider can be called, and a due message is sent within seconds.
const STUCK: f64 = 300.0;
const OVERDUE: f64 = 86_400.0;
/// Of the jobs that ended, and how many have to before the share says something.
const FAILED_PERCENT: u64 = 5;
const ENDED: u64 = 20;
const LONG_TRANSACTION: f64 = 3600.0;
const FEW_DAYS: f64 = 14.0;

pub fn of(overview: &Overview) -> Vec<String> {
    let mut found = Vec::new();
    work(overview, &mut found);
    let webhook = &overview.webhook;
    if let Some(test) = webhook.self_test.as_ref().filter(|test| !test.is_up) {
        let fault = test.fault.as_deref().unwrap_or("failed");
        found.push(format!("the public webhook URL fails: {fault}"));
    }
    if webhook.quarantined > 0 {
        let oldest = age(webhook.quarantine_oldest_seconds);
        let deliveries = counted(webhook.quarantined, "delivery", "deliveries");
        found.push(format!("{deliveries} in quarantine, the oldest for {oldest}"));
    }
    let notifications = &overview.notifications;
    if notifications.oldest_due_seconds > STUCK {
        let waits = age(notifications.oldest_due_seconds);
        found.push(format!("a message to an endpoint has been due for {waits}"));
    }
    if notifications.stopped_endpoints > 0 {
        let endpoints = counted(notifications.stopped_endpoints, "endpoint", "endpoints");
        found.push(format!("{endpoints} paused after failing: nothing is sent there"));
    }
    let database = &overview.database;
    if database.connections * 5 > database.connections_max * 4 {
        let (used, most) = (database.connections, database.connections_max);
        found.push(format!("{used} of the database's {most} connections are in use"));
    }
    if database.oldest_transaction_seconds > LONG_TRANSACTION {
        let open = age(database.oldest_transaction_seconds);
        found.push(format!("a transaction has been open for {open}"));
    }
    if let Some(days) = database.partition_days_ahead.filter(|days| *days < FEW_DAYS) {
        found.push(format!("partitions for new rows end in {days:.0} days"));
    }
    let overdue = overview.retention.overdue.iter().filter(|it| it.seconds > OVERDUE);
    found.extend(overdue.map(|it| format!("retention of {} is {} late", it.kind, age(it.seconds))));
    found
}

/// Jobs, their deadlines, and the provider they wait for.
fn work(overview: &Overview, found: &mut Vec<String>) {
    let (provider, deadlines) = (&overview.provider, &overview.deadlines);
    let mut is_held_up = false;
    let refusals = [
        (provider.refused_auth_seconds, "login or permissions"),
        (provider.refused_upstream_seconds, "its URL, or a proxy"),
    ];
    for (seconds, why) in refusals.into_iter().filter(|(seconds, _)| *seconds > 0.0) {
        is_held_up = true;
        let since = age(seconds);
        found.push(format!("the provider has rejected every job for {since}: {why}"));
    }
    if provider.penalty_seconds > 0.0 {
        is_held_up = true;
        let left = age(provider.penalty_seconds);
        found.push(format!("the provider's rate limit was exceeded: no calls for another {left}"));
    }
    let waits = overview.queue.oldest_due_seconds;
    if waits > STUCK && provider.rate_remaining > 0 && !is_held_up {
        let waits = age(waits);
        found.push(format!(
            "a job has been due for {waits} although the provider can be called: is a worker running?"
        ));
    }
    if deadlines.late_jobs > 0 {
        let jobs = counted(deadlines.late_jobs, "queued job", "queued jobs");
        found.push(format!("{jobs} cannot be submitted before the deadline"));
    }
    if deadlines.due_within_hour > 0 {
        let jobs = counted(deadlines.due_within_hour, "job", "jobs");
        found.push(format!("{jobs} will time out within the hour"));
    }
    let failed = overview.last_day.failed;
    let ended = overview.last_day.completed + failed;
    if ended >= ENDED && failed * 100 > ended * FAILED_PERCENT {
        found.push(format!("{failed} of the {ended} jobs that ended in the last day failed"));
    }
    if overview.jobs.unconfirmed_attempts > 0 {
        let attempts = counted(overview.jobs.unconfirmed_attempts, "attempt", "attempts");
        found.push(format!("{attempts} may or may not have reached the provider"));
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A duration in the two largest units that people would name.
pub fn age(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX).as_secs();
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    let two = |large, of_large, small, of_small| match small {
        0 => format!("{large} {of_large}"),
        _ => format!("{large} {of_large} {small} {of_small}"),
    };
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => two(minutes, "min", whole % 60, "s"),
        3600..86_400 => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_for_people() {
        for (seconds, text) in [
            (-3.0, "0 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (185.0, "3 min 5 s"),
            (7800.0, "2 h 10 min"),
            (86_400.0, "1 d"),
            (273_600.0, "3 d 4 h"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }
}
