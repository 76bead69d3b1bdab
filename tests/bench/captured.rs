//! The SQL that the service runs for a request, taken from Postgres's log, as a `pgbench` script.
use std::{fs, path::PathBuf};

use sqlx::AssertSqlSafe;

use super::{
    calls::get,
    load,
    stand::{Database, Service, Stand},
};

/// One script per path: the statements of its request, except those about the caller's key.
pub async fn statements(
    stand: &Stand,
    database: &Database,
    paths: &[String],
) -> anyhow::Result<Vec<String>> {
    let name = database.name;
    let admin = |statement: String| sqlx::raw_sql(AssertSqlSafe(statement));
    admin(format!("alter database {name} set log_min_duration_statement = 0"))
        .execute(&database.pool)
        .await?;
    let service = Service::start(stand, database).await?;
    let mut scripts = Vec::new();
    for path in paths {
        let before = fs::read_to_string(log(stand))?.len();
        load::closed(&get(&service, database, std::slice::from_ref(path)), 1, 1).await?;
        let log = fs::read_to_string(log(stand))?;
        scripts.push(script(log.get(before..).unwrap_or_default()));
    }
    drop(service);
    admin(format!("alter database {name} reset log_min_duration_statement"))
        .execute(&database.pool)
        .await?;
    Ok(scripts)
}

fn log(stand: &Stand) -> PathBuf {
    stand.folder.join("cluster/postgres.log")
}

/// Statements with their parameters inlined.
fn script(log: &str) -> String {
    let mut records: Vec<String> = Vec::new();
    for line in log.lines() {
        match records.last_mut() {
            Some(record) if line.starts_with('\t') => {
                record.push('\n');
                record.push_str(&line[1..]);
            }
            _ => records.push(line.to_owned()),
        }
    }
    let mut script = String::new();
    for (n, record) in records.iter().enumerate() {
        let Some((_, statement)) = record.split_once(" ms  execute ") else { continue };
        let Some((_, statement)) = statement.split_once(": ") else { continue };
        if statement.contains("api_keys") {
            continue;
        }
        let detail = records.get(n + 1).and_then(|next| next.split_once("DETAIL:  parameters: "));
        let values = detail.map(|(_, values)| values).unwrap_or_default();
        let statement = in_place(&plain(statement.trim()), values);
        script.push_str(statement.trim_end_matches(';'));
        script.push_str(";\n");
    }
    script
}

/// With a space where `pgbench` would take the end of a slice, as in `seqs[first:last]`, for a variable.
fn plain(statement: &str) -> String {
    let mut plain = String::with_capacity(statement.len());
    let mut chars = statement.chars().peekable();
    while let Some(c) = chars.next() {
        let is_slice = c == ':' && !plain.ends_with(':');
        plain.push(c);
        if is_slice && chars.peek().is_some_and(|next| next.is_alphabetic()) {
            plain.push(' ');
        }
    }
    plain
}

/// `values`: `$1 = 'a', $2 = NULL`. Replaces the last first, so that `$1` does not match part of `$10`.
fn in_place(statement: &str, values: &str) -> String {
    let mut statement = statement.to_owned();
    let count = values.matches('$').count();
    for n in (1..=count).rev() {
        let Some((_, rest)) = values.split_once(&format!("${n} = ")) else { continue };
        let value = match rest.strip_prefix('\'') {
            Some(quoted) => format!("E'{}'", escaped(quoted)),
            None => "null".to_owned(),
        };
        statement = statement.replace(&format!("${n}"), &value);
    }
    statement
}

/// The value up to the closing quote, with nothing in it that `pgbench` would take for a variable.
fn escaped(quoted: &str) -> String {
    let mut text = String::new();
    let mut chars = quoted.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                text.push_str("''");
            }
            '\'' => break,
            ':' => text.push_str("\\x3a"),
            '\\' => text.push_str("\\\\"),
            c => text.push(c),
        }
    }
    text
}
