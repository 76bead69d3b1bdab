//! The checked-in API document matches the served one.
use std::{fs, path::Path};

use boon::{Compiler, Draft, Schemas};
use serde_json::Value;

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
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
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

#[test]
fn a_job_links_to_all_that_can_be_read_of_it() {
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let is_of_job = |path: &str| path.starts_with("/v1/jobs/{id}");
    let mut readable: Vec<_> =
        paths.filter(|(path, item)| is_of_job(path) && item.get("get").is_some()).collect();
    let example = &document["components"]["schemas"]["JobView"]["example"];
    let id = example["id"].as_str().unwrap();
    let links = example["links"].as_object().unwrap().values();
    let mut linked: Vec<_> = links.map(|link| link.as_str().unwrap().replace(id, "{id}")).collect();
    linked.sort_unstable();
    readable.sort_unstable_by_key(|(path, _)| path.as_str());
    assert_eq!(linked, readable.into_iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>());
}

/// Whether the content, or the schema of it or its items, has an example.
fn has_example(document: &Value, content: &Value) -> bool {
    let schema = content["$ref"].as_str().map_or(content, |path| {
        document.pointer(path.trim_start_matches('#')).unwrap_or_else(|| panic!("no {path}"))
    });
    let inner = [&schema["schema"], &schema["items"], &schema["properties"]["data"]];
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    choices.into_iter().any(|choice| has_example(document, choice))
        || ["example", "examples"].iter().any(|name| !schema[*name].is_null())
        || inner.into_iter().any(|part| part.is_object() && has_example(document, part))
}

#[test]
fn every_body_has_an_example() {
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let operations = document["paths"].as_object().unwrap().values();
    for operation in operations.flat_map(|path| path.as_object().unwrap().values()) {
        let successes = operation["responses"].as_object().unwrap().iter();
        let successes = successes.filter(|(status, _)| status.starts_with('2'));
        let bodies = successes.map(|(_, response)| response).chain([&operation["requestBody"]]);
        for (kind, content) in bodies.filter_map(|body| body["content"].as_object()).flatten() {
            // Files, and stored bytes, whatever they are.
            let is_bytes = match operation["operationId"].as_str().unwrap() {
                "getDeliveryBody" => true,
                "uploadMedia" | "downloadMedia" => kind != "application/json",
                _ => false,
            };
            if !is_bytes {
                assert!(has_example(&document, content), "{} {kind}", operation["operationId"]);
            }
        }
    }
}

/// All examples with the location of their schema.
fn examples(at: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                examples(&format!("{at}/{n}"), item, found);
            }
        }
        Value::Object(members) => {
            // For a body or a parameter the schema is beside the example; for a schema it is the
            // schema itself.
            let schema =
                if members.contains_key("schema") { format!("{at}/schema") } else { at.to_owned() };
            let of_schema = |example: &Value| (schema.clone(), example.clone());
            found.extend(members.get("example").map(of_schema));
            match members.get("examples") {
                Some(Value::Array(list)) => found.extend(list.iter().map(of_schema)),
                Some(Value::Object(named)) => {
                    found.extend(named.values().map(|it| of_schema(&it["value"])));
                }
                _ => {}
            }
            for (name, member) in members {
                if !["example", "examples"].contains(&name.as_str()) {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    examples(&format!("{at}/{name}"), member, found);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_example_fits_its_schema() {
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let mut found = Vec::new();
    examples("", &document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    compiler.add_resource("http://aftercall.example/openapi.json", document).unwrap();
    let mut schemas = Schemas::new();
    let mut wrong = Vec::new();
    for (at, example) in found {
        let place = at.replace('{', "%7B").replace('}', "%7D");
        let place = format!("http://aftercall.example/openapi.json#{place}");
        let schema =
            compiler.compile(&place, &mut schemas).unwrap_or_else(|e| panic!("{at}: {e:?}"));
        if let Err(error) = schemas.validate(&example, schema) {
            wrong.push(format!("{at}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
