//! The checked-in API document is the one that is served.
use std::{fs, path::Path};

#[test]
fn the_checked_in_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    let current = aftercall::app::document().unwrap() + "\n";
    assert!(
        checked_in == current,
        "docs/openapi.json is stale; review and commit: cargo run -- openapi > docs/openapi.json"
    );
}

#[test]
fn every_operation_has_an_id_a_summary_and_says_how_it_fails() {
    let document: serde_json::Value =
        serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations = document["paths"].as_object().unwrap().values();
    let operations: Vec<_> =
        operations.flat_map(|path| path.as_object().unwrap().values()).collect();
    assert!(operations.len() >= 8);
    for operation in operations {
        let id = operation["operationId"].as_str().unwrap();
        assert!(operation["summary"].is_string(), "{id} has no summary");
        for status in ["400", "401", "500", "503", "504"] {
            let problem = &operation["responses"][status];
            let content = &problem["content"]["application/problem+json"];
            let examples = content["examples"].as_object().unwrap();
            assert!(examples.values().all(|it| it["value"]["detail"] != ""), "{id} {status}");
            assert_ne!(problem["description"], "", "{id} {status}");
        }
        assert!(operation["security"].is_array(), "{id} says nothing of keys");
    }
}
