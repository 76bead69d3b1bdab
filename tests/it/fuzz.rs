//! The invariants of the fuzz targets, tested with their corpus and with damaged payloads.
#[path = "../fuzz/invariants.rs"]
mod invariants;

use std::{fs, path::Path};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::fixture;

/// Runs `holds` on every file of a corpus.
fn replay(corpus: &str, holds: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(corpus);
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        holds(&fs::read(path).unwrap());
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn what_the_fuzzer_found_for_the_parser() {
    replay("result", invariants::result);
}

#[test]
fn what_the_fuzzer_found_for_the_cursor() {
    replay("cursor", invariants::cursor);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(\\PC|\0){0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let name = prop_oneof!["[a-z]{1,4}", Just("value".into()), Just("name".into())];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// All JSON pointers into `value`, the root first.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), all);
            }
        }
        Value::Object(members) => {
            for (name, item) in members {
                pointers(item, &format!("{at}/{name}"), all);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        invariants::result(&bytes);
        invariants::cursor(&bytes);
    }

    #[test]
    fn any_damage_to_the_bytes_is_survived(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..12),
        keep in any::<prop::sample::Index>(),
    ) {
        let mut body = fixture("delivery-2023.json").into_bytes();
        for (at, byte, kind) in edits {
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => { body.remove(at); }
            }
        }
        invariants::result(&body);
        invariants::result(&body[..=keep.index(body.len())]);
    }

    #[test]
    fn any_value_anywhere_in_the_result_is_survived(
        spots in proptest::collection::vec((any::<prop::sample::Index>(), any_json()), 1..5),
    ) {
        let mut body: Value = serde_json::from_str(&fixture("delivery-2023.json")).unwrap();
        let mut response = body["response"].take();
        for (spot, value) in spots {
            let mut all = Vec::new();
            pointers(&response, "", &mut all);
            let at = &all[1.max(spot.index(all.len()))];
            *response.pointer_mut(at).unwrap() = value;
            if response.as_object().unwrap().is_empty() { break; }
        }
        invariants::result(json!({ "status": "Success", "response": response }).to_string().as_bytes());
    }
}
