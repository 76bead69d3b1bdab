//! The files of the program, and the modules that they name.
use std::{
    fs,
    path::{Path, PathBuf},
};

pub fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// `src/<module>.rs` and every file in `src/<module>/`, with statements that are files of their own.
pub fn files(module: &str) -> Vec<PathBuf> {
    let mut todo = vec![src().join(format!("{module}.rs")), src().join(module)];
    let mut found = Vec::new();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "sql")
            && path.exists()
        {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "`{module}` is listed but does not exist");
    found
}

/// Path and text of the files of a module, without tests.
pub fn sources(module: &str) -> Vec<(String, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        (path.display().to_string(), code.to_owned())
    };
    files(module).into_iter().map(read).collect()
}

/// First path segments after `crate::`, including grouped imports; comments are skipped.
pub fn named_modules(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            names.push(head(rest));
            continue;
        };
        let (mut depth, mut at_start) = (1, true);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => break,
                '}' => depth -= 1,
                ',' if depth == 1 => at_start = true,
                c if at_start && !c.is_whitespace() => {
                    names.push(head(&group[i..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn head(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn the_checker_sees_grouped_imports() {
    let text = "use crate::{\n  http::{ApiError, Problem},\n  jobs, // crate::app\n};\nfn f() { crate::db::x() }";
    assert_eq!(named_modules(text), ["http", "jobs", "db"]);
}
