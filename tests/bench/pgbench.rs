//! `pgbench` as the baseline: scripts that write or read the same rows, prepared statements, and
//! the client count that performs best.
use std::{fmt::Write as _, fs, process::Stdio, time::Duration};

use anyhow::Context as _;
use sqlx::AssertSqlSafe;
use tokio::process::Command;
use uuid::Uuid;

use super::{
    bare::TABLES,
    load::Run,
    stand::{Database, Stand},
    store::{METADATA, REQUEST, Store},
};

/// A script file. Each transaction sees a number `:n` that is unique in the run.
#[derive(Debug, Clone)]
pub struct Script {
    path: String,
}

impl Script {
    pub fn new(stand: &Stand, name: &str, text: &str) -> anyhow::Result<Self> {
        let path = stand.folder.join(format!("{name}.sql"));
        let count = "\\set i :i + 1\n\\set n :first + :client_id * :per_client + :i\n";
        fs::write(&path, format!("{count}{text}"))?;
        Ok(Self { path: path.display().to_string() })
    }

    /// Scripts that need no number.
    pub fn some(stand: &Stand, name: &str, texts: &[String]) -> anyhow::Result<Vec<Self>> {
        let one = |(n, text): (usize, &String)| {
            let path = stand.folder.join(format!("{name}-{n}.sql"));
            fs::write(&path, text)?;
            Ok(Self { path: path.display().to_string() })
        };
        texts.iter().enumerate().map(one).collect()
    }

    /// Latencies of about `count` transactions, each running one of these scripts.
    pub async fn latencies(
        scripts: &[Self],
        stand: &Stand,
        database: &Database,
        count: u32,
        clients: u32,
    ) -> anyhow::Result<Run> {
        let log = stand.folder.join("latencies");
        let mut command = command(stand, clients);
        command.arg("--protocol=prepared").arg("--log");
        command.arg(format!("--log-prefix={}", log.display()));
        command.arg(format!("--transactions={}", count / clients));
        command.args(scripts.iter().map(|script| format!("--file={}", script.path)));
        let rate = per_second(command.arg(database.name)).await?;
        let mut latencies = Vec::new();
        for file in fs::read_dir(&stand.folder)? {
            let path = file?.path();
            if !path.display().to_string().starts_with(&log.display().to_string()) {
                continue;
            }
            for line in fs::read_to_string(&path)?.lines() {
                let micros = line.split(' ').nth(2).context("no latency")?.parse()?;
                latencies.push(Duration::from_micros(micros));
            }
            fs::remove_file(path)?;
        }
        Ok(Run::of(rate, latencies))
    }

    /// Transactions per second over about `count` transactions, numbered from `first`.
    pub async fn run(
        &self,
        stand: &Stand,
        database: &Database,
        first: u32,
        count: u32,
        clients: u32,
    ) -> anyhow::Result<f64> {
        let per_client = (count / clients).max(1);
        let mut command = command(stand, clients);
        command.arg("--protocol=prepared").arg(format!("--transactions={per_client}"));
        for (name, value) in
            [("i", -1), ("first", i64::from(first)), ("per_client", per_client.into())]
        {
            command.arg(format!("--define={name}={value}"));
        }
        per_second(command.arg(format!("--file={}", self.path)).arg(database.name)).await
    }
}

fn command(stand: &Stand, clients: u32) -> Command {
    let mut command = Command::new(&stand.pgbench);
    command.args(["--no-vacuum", "--jobs=1", "--port=5432", "--username=aftercall"]);
    command.arg(format!("--client={clients}")).arg("--host").arg(stand.sockets());
    command.env_remove("PGOPTIONS").env("PGSSLMODE", "disable").stdin(Stdio::null());
    command
}

async fn per_second(command: &mut Command) -> anyhow::Result<f64> {
    let output = command.kill_on_drop(true).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = || format!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), failed());
    let line = text.lines().find_map(|line| line.strip_prefix("tps = ")).with_context(failed)?;
    Ok(line.split_whitespace().next().context("no number")?.parse()?)
}

/// The id of job `:n`.
fn id(store: &Store) -> String {
    format!("('{}' || lpad(to_hex(:n::int), 12, '0'))::uuid", store.prefix)
}

/// The rows of a delivery, copied from a job that has them, as one transaction.
pub async fn delivery(store: &Store, job_id: Uuid) -> anyhow::Result<String> {
    let mut script = "begin;\n".to_owned();
    for (name, columns, types) in TABLES {
        let of = if name == "job_events" { "and seq = 4" } else { "" };
        let quoted: Vec<String> =
            columns.split(", ").map(|column| format!("quote_nullable({column}::text)")).collect();
        let query = format!(
            "select array[{}] from aftercall.{name} where job_id = $1 {of}",
            quoted.join(", ")
        );
        let rows: Vec<Vec<String>> =
            sqlx::query_scalar(AssertSqlSafe(query)).bind(job_id).fetch_all(&store.pool).await?;
        if rows.is_empty() {
            continue;
        }
        let types: Vec<&str> = types.split(", ").collect();
        let values: Vec<String> = rows.iter().map(|row| values(row, &types)).collect();
        writeln!(
            script,
            "insert into aftercall.{name} (job_id, {columns})\n\
             select job.id, given.* from (select {} as id) job, (values\n{}\n) given;",
            id(store),
            values.join(",\n")
        )?;
    }
    writeln!(
        script,
        "update aftercall.jobs set state = 'completed', version = version + 1,\n\
         completed_via = 'webhook', due_at = null, finished_at = now() where id = {};\ncommit;",
        id(store)
    )?;
    Ok(script)
}

/// `('a', 1::int)`, without a colon that `pgbench` would take for a variable.
fn values(row: &[String], types: &[&str]) -> String {
    let literals = row.iter().zip(types).map(|(literal, kind)| {
        let literal = literal.trim();
        let mark = if literal.starts_with('\'') { "E" } else { "" };
        format!("{mark}{}::{kind}", literal.replace(':', "\\x3a"))
    });
    format!("({})", literals.collect::<Vec<_>>().join(", "))
}

/// The rows of a submission, written by one statement, as in the service.
pub fn submission(store: &Store, caller_id: Uuid) -> String {
    let colons = |json: &str| format!("E'{}'::json", json.replace(':', "\\x3a"));
    format!(
        "with job as (
            insert into aftercall.jobs
                (id, caller_id, external_id, tags, metadata, request, due_at, deadline_at)
            values ({}, '{caller_id}', 'call-1', '{{bench}}', {}, {}, now(),
                now() + make_interval(secs => 86400))
            returning id, version
        )
        insert into aftercall.job_events (job_id, seq, kind) select id, version, 'queued' from job;\n",
        id(store),
        colons(METADATA),
        colons(REQUEST),
    )
}

/// One row of `results` by its key, for a job between these numbers.
pub fn result(store: &Store, first: u32, last: u32) -> String {
    format!(
        "\\set n random({first}, {last})\n\
         select document, document_sha from aftercall.results where job_id = {};\n",
        id(store)
    )
}
