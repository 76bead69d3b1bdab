//! docs/notifications.md has the receivers as CI runs them.
use std::fs;

#[test]
fn the_documented_receivers_are_those_that_are_tested() {
    let read =
        |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let document = read("docs/notifications.md");
    for (language, file) in [("python", "py"), ("javascript", "js"), ("rust", "rs")] {
        let receiver = read(&format!("tests/receivers/receiver.{file}"));
        let block = format!("```{language}\n{receiver}```\n");
        assert!(document.contains(&block), "docs/notifications.md differs from receiver.{file}");
    }
}
