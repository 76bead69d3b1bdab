//! Keeps `docs/logs.md` complete: it lists every field that the code logs, and no other.
use std::{collections::BTreeSet, fs, path::Path};

const REFERENCE: &str = include_str!("../../docs/logs.md");
/// Written by the layer itself.
const ON_EVERY_LINE: [&str; 4] = ["ts", "level", "msg", "target"];
const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

#[test]
fn the_reference_has_every_field_that_is_logged_and_no_other() {
    let mut logged = BTreeSet::from(ON_EVERY_LINE.map(str::to_owned));
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |text| {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        logged.extend(fields(code));
    });
    let described = described();
    let missing: Vec<_> = logged.difference(&described).collect();
    let superfluous: Vec<_> = described.difference(&logged).collect();
    assert!(missing.is_empty(), "logged, but not in docs/logs.md: {missing:?}");
    assert!(superfluous.is_empty(), "in docs/logs.md, but never logged: {superfluous:?}");
}

#[test]
fn fields_are_found_in_all_their_forms() {
    let code = r#"
        tracing::info!(target: "x", a, %b, ?c.d, e = f(g, "h, i = j"), "k, {l}", m = 1);
        let span = tracing::warn_span!("n", o = %p.q());
        span.record("r", 1);
    "#;
    let found: BTreeSet<_> = fields(code).collect();
    assert_eq!(found, ["a", "b", "c.d", "e", "m", "o", "r"].map(str::to_owned).into());
}

fn visit(folder: &Path, look: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with(file!()) {
            look(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The names in the first column of each table.
fn described() -> BTreeSet<String> {
    let rows = REFERENCE.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect()
}

/// The field names of all events and spans in `code`.
fn fields(code: &str) -> impl Iterator<Item = String> {
    let events = LEVELS.iter().map(|level| format!("{level}!("));
    let spans = LEVELS.iter().map(|level| format!("{level}_span!("));
    let starts: Vec<_> = events.chain(spans).collect();
    let macros = starts.iter().flat_map(|start| code.split(start.as_str()).skip(1));
    let arguments = macros.flat_map(arguments).filter_map(|argument| {
        let name = argument.trim_start_matches(['%', '?']);
        let end = name.find(|c: char| !c.is_alphanumeric() && !"_.".contains(c));
        let (name, rest) = name.split_at(end.unwrap_or(name.len()));
        (!name.is_empty() && !rest.starts_with(':')).then(|| name.to_owned())
    });
    let recorded = code.split(".record(\"").skip(1);
    let recorded = recorded.filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    arguments.chain(recorded).collect::<Vec<_>>().into_iter()
}

/// The arguments of a macro call, up to its closing parenthesis.
fn arguments(code: &str) -> Vec<&str> {
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 1);
    let (mut in_text, mut is_escaped) = (false, false);
    for (at, c) in code.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_text => is_escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        let is_end = depth == 0;
        if is_end || (c == ',' && depth == 1 && !in_text) {
            found.push(code[start..at].trim());
            start = at + 1;
        }
        if is_end {
            break;
        }
    }
    found
}
