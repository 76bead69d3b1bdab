//! Checks the import directions of `src/` as drawn in `lib.rs`: stages over tables over plumbing.
mod sources;

use std::fs;

use self::sources::{files, named_modules, sources, src};

/// Module → the only sibling modules it may import. `app` and `cli` assemble the others.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("supervise", &[]),
    ("seal", &["db"]),
    ("config", &["db", "seal"]),
    ("metrics", &["telemetry"]),
    ("telemetry", &["config"]),
    ("db", &[]),
    ("reads", &["db", "metrics", "supervise"]),
    ("embedded", &["config"]),
    ("json", &[]),
    ("audio", &[]),
    ("http", &["db", "metrics", "telemetry"]),
    ("callers", &["db", "http", "supervise"]),
    ("jobs", &["callers", "db", "metrics", "seal"]),
    ("media", &["audio", "callers", "config", "db"]),
    ("egress", &["config", "http"]),
    ("endpoints", &["callers", "db", "egress", "seal"]),
    ("partitions", &["jobs"]),
    ("deliveries", &["db", "jobs", "seal"]),
    ("events", &["callers", "db", "jobs", "supervise"]),
    ("stats", &["callers", "jobs"]),
    ("reporting", &[]),
    ("conversations", &["db", "jobs"]),
    ("insights", &["callers", "conversations", "db", "jobs", "reads", "stats", "supervise"]),
    (
        "api",
        &[
            "callers", "config", "db", "egress", "events", "http", "insights", "jobs", "json",
            "media", "metrics", "provider", "reads", "seal",
        ],
    ),
    ("drift", &["db", "jobs", "metrics", "supervise"]),
    ("outcome", &["config", "deliveries", "drift", "insights", "jobs", "json", "provider", "seal"]),
    (
        "provider",
        &["config", "db", "drift", "http", "insights", "jobs", "json", "metrics", "telemetry"],
    ),
    ("public_hook", &["config", "db", "jobs", "metrics", "provider", "supervise"]),
    ("notifications", &["callers", "db", "endpoints", "jobs"]),
    (
        "samples",
        &[
            "config",
            "db",
            "deliveries",
            "drift",
            "jobs",
            "notifications",
            "provider",
            "public_hook",
        ],
    ),
    (
        "doctor",
        &[
            "config",
            "db",
            "jobs",
            "media",
            "partitions",
            "provider",
            "public_hook",
            "reads",
            "seal",
        ],
    ),
    (
        "intake",
        &[
            "api",
            "audio",
            "callers",
            "config",
            "db",
            "egress",
            "endpoints",
            "http",
            "insights",
            "jobs",
            "json",
            "media",
            "partitions",
            "provider",
            "seal",
            "supervise",
            "telemetry",
        ],
    ),
    ("dispatch", &["config", "jobs", "metrics", "provider", "seal", "supervise", "telemetry"]),
    (
        "webhook",
        &[
            "config",
            "db",
            "deliveries",
            "drift",
            "http",
            "jobs",
            "json",
            "media",
            "metrics",
            "outcome",
            "provider",
            "public_hook",
            "seal",
            "supervise",
            "telemetry",
        ],
    ),
    (
        "reconcile",
        &[
            "config",
            "db",
            "deliveries",
            "drift",
            "jobs",
            "metrics",
            "outcome",
            "provider",
            "seal",
            "supervise",
            "telemetry",
        ],
    ),
    (
        "query",
        &[
            "api",
            "audio",
            "callers",
            "config",
            "conversations",
            "db",
            "events",
            "http",
            "insights",
            "jobs",
            "media",
            "provider",
            "reads",
            "stats",
        ],
    ),
    (
        "notify",
        &[
            "api",
            "callers",
            "config",
            "db",
            "egress",
            "endpoints",
            "http",
            "insights",
            "jobs",
            "metrics",
            "notifications",
            "seal",
            "supervise",
            "telemetry",
        ],
    ),
    (
        "admin",
        &[
            "api",
            "callers",
            "config",
            "db",
            "deliveries",
            "drift",
            "http",
            "insights",
            "jobs",
            "json",
            "outcome",
            "partitions",
            "provider",
            "public_hook",
            "reporting",
            "samples",
            "seal",
        ],
    ),
    ("console", &["api", "callers", "http"]),
    ("rotation", &["db", "jobs", "seal", "supervise"]),
    ("rollup", &["metrics", "reporting", "stats", "supervise"]),
    (
        "retention",
        &[
            "api",
            "callers",
            "config",
            "db",
            "deliveries",
            "endpoints",
            "http",
            "insights",
            "jobs",
            "media",
            "metrics",
            "notifications",
            "partitions",
            "stats",
            "supervise",
        ],
    ),
    ("sampler", &["config", "metrics", "retention", "samples", "supervise"]),
    // The emulator shares only the wire's names with the client; see the test below.
    ("sandbox", &["audio", "config", "provider", "supervise"]),
];

/// The modules that may hold SQL, and why.
const MAY_HOLD_SQL: &[&str] = &[
    "callers",
    "jobs",
    "deliveries",
    "media",
    "stats",
    "reporting",
    "conversations",
    "insights",
    "endpoints",
    "drift",
    "notifications",
    "samples",
    "seal",        // own tables
    "db",          // the schema
    "partitions",  // of all tables
    "embedded",    // creates its database
    "events",      // the timelines of jobs, across jobs
    "provider",    // the row of the gate
    "public_hook", // the row of the last self-test
    "reads",       // asks servers how far they are
    "doctor",      // asks the catalogs, and owns nothing
];

/// Begins a transaction that a canceled request would leave open; `db::begin` is there instead.
const BEGINS: [&str; 2] = [".begin()", "db.begin_with("];

/// Where a transaction begins on a connection that no pool gets back, and where the retention's own begins.
const MAY_BEGIN: [&str; 2] = ["jobs/change.rs", "retention/"];

/// Statements after which a result is another one, or gone.
const CHANGES_RESULTS: [&str; 4] = [
    "update aftercall.results",
    "delete from aftercall.results",
    "set result_expired_at",
    "delete from aftercall.jobs ",
];

/// A statement that makes a change of a job visible to everyone.
const WRITES_EVENTS: &str = "insert into aftercall.job_events";

#[test]
fn modules_import_downwards_only() {
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_IMPORT {
        for (file, text) in sources(module) {
            for named in named_modules(&text) {
                if named != *module && !allowed.contains(&named.as_str()) {
                    wrong.push(format!("{file}: {module} must not import {named}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn transactions_on_the_pool_begin_in_one_place() {
    let mut wrong = Vec::new();
    for (module, _) in MAY_IMPORT.iter().filter(|(module, _)| *module != "db") {
        for (file, text) in sources(module) {
            let may = MAY_BEGIN.iter().any(|it| file.contains(it));
            if !may && BEGINS.iter().any(|it| text.contains(it)) {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "use db::begin: {wrong:#?}");
}

#[test]
fn every_module_has_its_rule() {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    let ruled = |module: &&str| MAY_IMPORT.iter().any(|(name, _)| name == module);
    let without: Vec<_> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .filter(|module| !matches!(*module, "app" | "cli") && !ruled(module))
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn no_module_imports_itself_by_way_of_others() {
    let mut left: Vec<_> = MAY_IMPORT.to_vec();
    loop {
        let names: Vec<_> = left.iter().map(|(module, _)| *module).collect();
        let before = left.len();
        left.retain(|(_, imports)| imports.iter().any(|import| names.contains(import)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "a circle is among {left:#?}");
}

/// A file that no `mod` names is not compiled: what it holds is neither checked nor part of the program.
#[test]
fn every_file_is_part_of_the_program() {
    let files: Vec<_> = MAY_IMPORT
        .iter()
        .map(|(module, _)| *module)
        .chain(["app", "cli"])
        .flat_map(files)
        .filter(|path| !path.ends_with("mod.rs"))
        .collect();
    let orphans: Vec<_> = files
        .iter()
        .filter(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let parent = path.parent().unwrap();
            let (module, statement) = (format!("mod {name};\n"), format!("/{name}.sql\","));
            let declares = |file: &str| {
                fs::read_to_string(parent.join(file))
                    .is_ok_and(|text| text.contains(&module) || text.contains(&statement))
            };
            !["mod.rs", "lib.rs", "write.rs"].into_iter().any(declares)
        })
        .collect();
    assert!(orphans.is_empty(), "no `mod` declares or `query_file!` reads {orphans:#?}");
}

#[test]
fn sql_stays_in_the_modules_that_own_tables() {
    let mut wrong = Vec::new();
    for (module, _) in MAY_IMPORT.iter().filter(|(name, _)| !MAY_HOLD_SQL.contains(name)) {
        let holds_sql = |text: &str| {
            ["sqlx::query", "QueryBuilder", "raw_sql"].iter().any(|it| text.contains(it))
        };
        let files = sources(module).into_iter().filter(|(_, text)| holds_sql(text));
        wrong.extend(files.map(|(file, _)| file));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn whoever_writes_an_event_announces_it() {
    for (file, text) in MAY_IMPORT.iter().flat_map(|(module, _)| sources(module)) {
        for function in text.split("\npub async fn ").filter(|it| it.contains(WRITES_EVENTS)) {
            let (arguments, _) = function.split_once('{').unwrap();
            let announces = arguments.contains("Change<") || arguments.contains("&Announcer");
            assert!(file.contains("src/jobs/") && announces, "{file}: {arguments}");
        }
    }
}

#[test]
fn whoever_changes_a_result_has_it_forgotten() {
    let mut changing = 0;
    for (file, text) in MAY_IMPORT.iter().flat_map(|(module, _)| sources(module)) {
        let functions = text.split("\npub async fn ");
        for function in functions.filter(|it| CHANGES_RESULTS.iter().any(|sql| it.contains(sql))) {
            changing += 1;
            assert!(function.contains("tx.changes_results("), "{file}: {function}");
        }
    }
    assert_eq!(changing, 4);
}

#[test]
fn the_sandbox_knows_the_wire_and_nothing_else_of_the_provider() {
    for (file, text) in sources("sandbox") {
        let beyond = text.replace("provider::wire", "");
        assert!(!beyond.contains("provider::"), "{file}");
    }
}

#[test]
fn settings_and_environment_are_read_in_one_place() {
    let ruled = MAY_IMPORT.iter().map(|(module, _)| *module).filter(|module| *module != "config");
    let wrong: Vec<_> = ruled
        .chain(["app", "cli"])
        .flat_map(sources)
        .filter(|(_, text)| text.contains("env::var"))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
