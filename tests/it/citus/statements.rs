//! Statements about distributed tables name the jobs, so that each runs only where the rows of these jobs are.
use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::described;

/// Statements that visit all nodes, by a part of their text, and why they may: none is run for a request or a delivery.
const EVERYWHERE: &[(&str, &str)] = &[
    ("where job_id > $1 and parser_version < $2", "finds results for `aftercall reparse`"),
    (
        "where job_id > $2 and job_id < least($3, aftercall.uuid_floor($1))",
        "finds results for retention",
    ),
];

/// The statements that are checked when they are built. Searches, lists and exports are put together at run time: docs/citus.md.
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let text = |file: Vec<u8>| {
        let file: Value = serde_json::from_slice(&file).unwrap();
        file["query"].as_str().unwrap().to_owned()
    };
    files.map(text).collect()
}

/// Names, parameters and operators. A cast, which follows a colon, is left out.
fn tokens(statement: &str) -> Vec<&str> {
    let is_symbol = |it: char| it.is_whitespace() || "(),;".contains(it);
    let words = statement.split(is_symbol).filter(|word| !word.is_empty());
    words.map(|word| word.split("::").next().unwrap_or_default()).collect()
}

/// Which distributed tables the statement uses without saying for which jobs: by parameters, or by the job of another
/// distributed table whose jobs are parameters.
fn unbound(statement: &str, distributed: &BTreeSet<String>) -> Vec<String> {
    let words = tokens(statement);
    let mut uses = Vec::new();
    for (at, pair) in words.windows(2).enumerate() {
        let [verb, table] = pair else { continue };
        if ["from", "join", "into", "update"].contains(verb) && distributed.contains(*table) {
            let mut rest = words[at + 2..].iter().copied().filter(|word| *word != "as");
            let names_jobs = *verb == "into" && rest.clone().take(3).any(|word| word == "job_id");
            uses.push((*table, rest.next().unwrap_or_default(), names_jobs));
        }
    }
    // A name without an alias is of the only table there is.
    let is_key = |word: &str, alias: &str| {
        word == "job_id" || word.strip_suffix(".job_id").is_some_and(|before| before == alias)
    };
    // One that is an alternative excludes nothing.
    let is_alternative = |at: usize| {
        words.get(at.wrapping_sub(1)) == Some(&"or") || words.get(at + 3) == Some(&"or")
    };
    let equals = |is_given: &dyn Fn(&str) -> bool, alias: &str| {
        words.windows(3).enumerate().any(|(at, it)| {
            it[1] == "="
                && !is_alternative(at)
                && (is_key(it[0], alias) && is_given(it[2])
                    || is_key(it[2], alias) && is_given(it[0]))
        })
    };
    let by_parameter = |alias: &str| equals(&|word| word == "any" || word.starts_with('$'), alias);
    let is_bound = |alias: &str| {
        by_parameter(alias)
            || uses.iter().any(|(_, other, _)| {
                other != &alias
                    && by_parameter(other)
                    && equals(&|word| word.strip_suffix(".job_id") == Some(*other), alias)
            })
    };
    let unbound = uses.iter().filter(|(_, alias, names_jobs)| !names_jobs && !is_bound(alias));
    unbound.map(|(table, ..)| (*table).to_owned()).collect()
}

/// Inserts into distributed tables within `with` that read another of its queries: Citus sends what they read to all nodes, and
/// each takes part in the transaction.
fn spreading(statement: &str, distributed: &BTreeSet<String>) -> Vec<String> {
    let Some(("", queries)) = statement.trim().split_once("with ") else { return Vec::new() };
    let (queries, _main) = queries.split_once("\n)\n").unwrap_or((queries, ""));
    let queries: Vec<_> = queries.split("\n), ").filter_map(|it| it.split_once(" as ")).collect();
    let names: BTreeSet<_> = queries.iter().map(|(name, _)| *name).collect();
    let spreads = |query: &str| {
        tokens(query).windows(2).any(|it| it[0] == "into" && distributed.contains(it[1]))
            && tokens(query)
                .windows(2)
                .any(|it| ["from", "join"].contains(&it[0]) && names.contains(it[1]))
    };
    let spreading = queries.iter().filter(|(_, query)| spreads(query));
    spreading.map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn a_result_concerns_only_the_nodes_of_its_job() {
    let distributed = distributed();
    let plain = |statement: &str| {
        let lines = statement.lines().map(str::trim).filter(|line| !line.starts_with("--"));
        lines.collect::<Vec<_>>().join("\n")
    };
    for statement in statements() {
        assert_eq!(spreading(&plain(&statement), &distributed), [""; 0], "{statement}");
    }
    let stored = plain(include_str!("../../../src/insights/store.sql"));
    assert!(stored.contains("insert into aftercall.utterances"));
    let inside = stored.replace("select * from unnest($28", "select $28 from job where $28");
    assert_eq!(spreading(&inside, &distributed), ["question"]);
}

fn distributed() -> BTreeSet<String> {
    let tables = described().into_iter().filter(|(_, section)| *section == "What is distributed");
    tables.map(|(name, _)| format!("aftercall.{name}")).collect()
}

#[test]
fn statements_about_distributed_tables_name_their_jobs() {
    let distributed = distributed();
    let mut checked = 0;
    let mut unused: BTreeSet<_> = EVERYWHERE.iter().map(|(part, _)| *part).collect();
    for statement in statements() {
        checked +=
            i32::from(distributed.iter().any(|table| tokens(&statement).contains(&table.as_str())));
        let unbound = unbound(&statement, &distributed);
        if unbound.is_empty() {
            continue;
        }
        let text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        match EVERYWHERE.iter().find(|(part, _)| text.contains(part)) {
            Some((part, _)) => drop(unused.remove(part)),
            None => panic!(
                "does not say for which jobs it uses {unbound:?}, so all nodes run it: {text}"
            ),
        }
    }
    assert!(checked > 12, "{checked}");
    assert_eq!(unused, BTreeSet::new(), "no such statement");
}

#[test]
fn a_statement_that_names_no_job_is_found() {
    let distributed = distributed();
    for (statement, expected) in [
        ("select u.text from aftercall.utterances u where u.job_id = $1", 0),
        ("select text from aftercall.utterances where text = $1", 1),
        ("select text from aftercall.utterances where ($1 is null or job_id = $1)", 1),
        (
            "select 1 from aftercall.jobs j join aftercall.results r on r.job_id = j.id where j.id = $1",
            1,
        ),
        (
            "select 1 from aftercall.speakers s left join aftercall.speaker_names n on n.job_id = s.job_id where s.job_id = $1",
            0,
        ),
        (
            "select 1 from aftercall.speakers s left join aftercall.speaker_names n on n.job_id = s.job_id",
            2,
        ),
        ("delete from aftercall.questions where seq = any($1::int[])", 1),
        ("delete from aftercall.questions where job_id = any($1::uuid[])", 0),
        ("update aftercall.results r set document = $2 where r.job_id > $1", 1),
        ("insert into aftercall.speakers (speaker_id, name) select $1, $2", 1),
        ("insert into aftercall.speaker_names as old (job_id, speaker_id) select $1, $2", 0),
    ] {
        assert_eq!(unbound(statement, &distributed).len(), expected, "{statement}");
    }
}
