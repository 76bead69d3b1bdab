//! `docs/metrics.md` is what the registry says.
use std::{fmt::Write as _, fs};

use aftercall::metrics::{Described, Metrics};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
/// Everything above this line is written by people.
const MARK: &str = "<!-- Below: generated from the registry. -->\n";

fn table(described: &[Described]) -> String {
    let mut table =
        String::from("| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for Described { name, kind, labels, help, .. } in described {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let unit = described.iter().find(|it| it.name == *name).unwrap().unit();
        let labels = labels.join(", ");
        writeln!(table, "| `{name}` | {kind} | {unit} | {labels} | {help} |").unwrap();
    }
    table
}

fn generated() -> String {
    let metrics = Metrics::new();
    let (sampled, own): (Vec<_>, Vec<_>) =
        metrics.reference().iter().cloned().partition(|it| it.is_sampled);
    format!(
        "\n## Of each replica\n\n{}\n## Of the whole service\n\nSampled every 15 seconds by one replica and shown by \
         all of them: use `max`, never `sum`.\n\n{}",
        table(&own),
        table(&sampled),
    )
}

#[test]
fn the_reference_page_is_what_the_registry_says() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (_, below) = page.split_once(MARK).unwrap();
    assert!(
        below == generated(),
        "docs/metrics.md is out of date; run: cargo test --test it metrics::reference::write -- --ignored"
    );
}

#[test]
#[ignore = "writes docs/metrics.md"]
fn write() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (above, _) = page.split_once(MARK).unwrap();
    fs::write(PAGE, format!("{above}{MARK}{}", generated())).unwrap();
}
