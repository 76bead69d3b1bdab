//! `aftercall status`: the overview of the service in the terminal, straight from its database.
use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::time::sleep;

use super::{database::Database, output};
use crate::{
    admin::overview::{self, InState, Overview, age},
    config::{AccountGate, Settings},
    db,
    supervise::Lifecycle,
};

/// Time between two screens.
const REDRAW: Duration = Duration::from_secs(3);
/// The screen fits a terminal of 80 columns and 24 rows.
const WIDTH: usize = 80;
const COLUMN: usize = 41;
/// Problems shown; the others are counted.
const MOST_PROBLEMS: usize = 5;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print a new screen every few seconds, until Ctrl-C.
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Print the numbers as JSON, as in `GET /v1/admin/overview`.
    #[arg(long)]
    json: bool,
}

pub async fn run(settings: Settings, args: Args) -> anyhow::Result<()> {
    let database = Database::open(&settings).await?;
    let gates = &settings.provider.gates();
    let shown = if args.watch {
        watch(&database.pool, gates).await
    } else {
        once(&database.pool, gates, args.json).await
    };
    database.close().await;
    shown
}

async fn once(db: &PgPool, gates: &[AccountGate], is_json: bool) -> anyhow::Result<()> {
    if is_json {
        let overview = overview::read(db, gates).await?;
        return output::print(&format!("{}\n", serde_json::to_string_pretty(&overview)?));
    }
    output::print(&screen(db, gates, io::stdout().is_terminal()).await?)
}

/// Redraws until Ctrl-C or SIGTERM.
async fn watch(db: &PgPool, gates: &[AccountGate]) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::default();
    crate::app::drain_on_signal(&lifecycle)?;
    let is_terminal = io::stdout().is_terminal();
    let _window = if is_terminal { Some(Window::open()?) } else { None };
    loop {
        // A database that is gone for a moment is no reason to end.
        let text = tokio::select! {
            () = lifecycle.draining.cancelled() => return Ok(()),
            text = screen(db, gates, is_terminal) => text,
        };
        let text = text.unwrap_or_else(|error| format!("{error:#}\n"));
        if is_terminal {
            // From the top left corner, clearing what is left of the last screen.
            let lines = text.replace('\n', "\x1b[K\r\n");
            output::print(&format!("\x1b[H{lines}\x1b[J"))?;
        } else {
            output::print(&format!("{text}\n"))?;
        }
        tokio::select! {
            () = lifecycle.draining.cancelled() => return Ok(()),
            () = sleep(REDRAW) => {}
        }
    }
}

/// The terminal's second screen, without a cursor. Dropping it brings back what was there before.
struct Window;

impl Window {
    fn open() -> anyhow::Result<Self> {
        output::print("\x1b[?1049h\x1b[?25l")?;
        Ok(Self)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let mut terminal = io::stdout().lock();
        // Nothing can be done about a terminal that is gone.
        let _ = terminal.write_all(b"\x1b[?25h\x1b[?1049l").and_then(|()| terminal.flush());
    }
}

async fn screen(db: &PgPool, gates: &[AccountGate], has_colors: bool) -> anyhow::Result<String> {
    let overview = overview::read(db, gates).await?;
    let now = db::ago(db, Duration::ZERO).await?;
    Ok(rendered(&overview, now, has_colors)?)
}

/// Problems first, then the numbers in two columns.
fn rendered(
    overview: &Overview,
    now: DateTime<Utc>,
    has_colors: bool,
) -> Result<String, std::fmt::Error> {
    let paint = |text: &str, color: &str| {
        if has_colors { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let mut text = String::new();
    let title = format!("Aftercall {}", env!("CARGO_PKG_VERSION"));
    let sampled = format!(
        "{} UTC, sampled {} ago",
        now.format("%Y-%m-%d %H:%M:%S"),
        since(overview.sampled_at, now)
    );
    let gap = WIDTH - title.len();
    writeln!(text, "{}{sampled:>gap$}\n", paint(&title, "1"))?;
    if overview.problems.is_empty() {
        writeln!(text, "{}", paint("no problems", "32"))?;
    }
    for problem in overview.problems.iter().take(MOST_PROBLEMS) {
        let line = shortened(&format!("! {problem}"));
        writeln!(text, "{}", paint(&line, "31;1"))?;
    }
    match overview.problems.len().saturating_sub(MOST_PROBLEMS) {
        0 => {}
        more => writeln!(text, "  and {more} more: see --json")?,
    }
    let (left, right) = (left(overview), right(overview, now));
    for row in 0..left.len().max(right.len()) {
        let empty = Line::Blank;
        let (left, right) = (left.get(row).unwrap_or(&empty), right.get(row).unwrap_or(&empty));
        let pad = COLUMN.saturating_sub(left.plain().chars().count());
        let shown = |line: &Line| match line {
            Line::Head(text) => paint(text, "1"),
            other => other.plain(),
        };
        writeln!(text, "{}", format!("{}{:pad$}{}", shown(left), "", shown(right)).trim_end())?;
    }
    Ok(text)
}

/// A line of a column.
enum Line {
    Blank,
    Head(&'static str),
    Value(&'static str, String),
}

impl Line {
    fn plain(&self) -> String {
        match self {
            Self::Blank => String::new(),
            Self::Head(text) => (*text).to_owned(),
            Self::Value(name, value) => format!("  {name:<15}{value}"),
        }
    }
}

fn left(overview: &Overview) -> Vec<Line> {
    let (jobs, deadlines, queue) = (&overview.jobs, &overview.deadlines, &overview.queue);
    let next = deadlines.next_seconds;
    let overdue = overview.retention.overdue.iter().map(|it| it.seconds).fold(0.0, f64::max);
    vec![
        Line::Blank,
        Line::Head("Jobs"),
        Line::Value("queued", in_state(jobs.queued)),
        Line::Value("submitting", in_state(jobs.submitting)),
        Line::Value("submitted", in_state(jobs.submitted)),
        Line::Value("unconfirmed", jobs.unconfirmed_attempts.to_string()),
        Line::Blank,
        Line::Head("Queue"),
        Line::Value("oldest due", or_none(queue.oldest_due_seconds)),
        Line::Value("all sent in", or_none(queue.eta_seconds)),
        Line::Blank,
        Line::Head("Deadlines"),
        Line::Value(
            "next",
            match next {
                None => "none".to_owned(),
                Some(seconds) if seconds < 0.0 => format!("{} ago", age(-seconds)),
                Some(seconds) => format!("in {}", age(seconds)),
            },
        ),
        Line::Value("within 1 hour", deadlines.due_within_hour.to_string()),
        Line::Value("will be missed", deadlines.late_jobs.to_string()),
        Line::Value("retention late", or_none(overdue)),
    ]
}

fn right(overview: &Overview, now: DateTime<Utc>) -> Vec<Line> {
    let (provider, webhook, database) = (&overview.provider, &overview.webhook, &overview.database);
    let ago = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", since(at, now)))
    };
    let refused = provider.refused_auth_seconds.max(provider.refused_upstream_seconds);
    let quarantine = match webhook.quarantined {
        0 => "none".to_owned(),
        count => format!("{count}, oldest {}", age(webhook.quarantine_oldest_seconds)),
    };
    let self_test = webhook.self_test.as_ref().map_or_else(
        || "not tested".to_owned(),
        |test| {
            let word = if test.is_up { "up" } else { "DOWN" };
            format!("{word}, {} ago", since(test.tested_at, now))
        },
    );
    let days =
        database.partition_days_ahead.map_or(String::new(), |days| format!("{days:.0} days"));
    vec![
        Line::Blank,
        Line::Head("Provider"),
        Line::Value(
            "calls left",
            format!("{} of {}", provider.rate_remaining, provider.rate_limit),
        ),
        Line::Value("penalty", or_none(provider.penalty_seconds)),
        Line::Value("rejecting for", or_none(refused)),
        Line::Value("newest drift", ago(provider.newest_drift_at)),
        Line::Blank,
        Line::Head("Webhook"),
        Line::Value("last delivery", ago(webhook.last_delivery_at)),
        Line::Value("quarantine", quarantine),
        Line::Value("public URL", self_test),
        Line::Head("Database"),
        Line::Value(
            "connections",
            format!("{} of {}", database.connections, database.connections_max),
        ),
        Line::Value("transaction", or_none(database.oldest_transaction_seconds)),
        Line::Value("size", bytesize::ByteSize(database.bytes).to_string()),
        Line::Value("partitions for", days),
    ]
}

fn in_state(state: InState) -> String {
    match state.count {
        0 => "0".to_owned(),
        count => format!("{count:<4} oldest {}", age(state.oldest_seconds)),
    }
}

fn or_none(seconds: f64) -> String {
    if seconds < 1.0 { "none".to_owned() } else { age(seconds) }
}

fn since(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    age((now - at).as_seconds_f64())
}

/// At most as wide as the screen.
fn shortened(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let kept: String = line.chars().take(WIDTH - 1).collect();
    format!("{kept}…")
}
