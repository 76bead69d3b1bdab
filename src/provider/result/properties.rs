//! What holds for every body, however damaged.
use proptest::prelude::*;
use serde_json::{Value, json};

use super::read::MOST_ISSUES;
use super::tests::{bare, document, enveloped, success};
use super::*;

/// What the tables can rely on, whatever was sent.
fn assert_storable(analysis: &Analysis) {
    assert!(analysis.issues.len() <= MOST_ISSUES + 1);
    let mut last = -1;
    for row in &analysis.utterances {
        assert!(row.seq > last && 0.0 <= row.start && row.start <= row.end && row.end <= 1e7);
        assert!(!row.text.contains('\0'));
        last = row.seq;
    }
    for row in &analysis.speaker_insights {
        assert!(!row.value.contains('\0') && row.number.is_none_or(f64::is_finite));
    }
    for row in &analysis.conversation_insights {
        assert!(!row.extra.contains("\\u0000"));
    }
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

/// Every pointer into `value`, the root first.
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
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&body);
    }

    #[test]
    fn any_damage_to_the_bytes_is_survived(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..12),
        keep in any::<prop::sample::Index>(),
    ) {
        let mut body = enveloped().to_string().into_bytes();
        for (at, byte, kind) in edits {
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => { body.remove(at); }
            }
        }
        let cut = &body[..=keep.index(body.len())];
        for body in [&body[..], cut] {
            if let Ok(Message { verdict: Verdict::Success(analysis), .. }) = parse(body) {
                assert_storable(&analysis);
            }
        }
    }

    #[test]
    fn any_value_anywhere_in_the_result_leaves_a_whole_document(
        spots in proptest::collection::vec((any::<prop::sample::Index>(), any_json()), 1..5),
    ) {
        let mut response = bare()["response"].take();
        for (spot, value) in spots {
            let mut all = Vec::new();
            pointers(&response, "", &mut all);
            let at = &all[1.max(spot.index(all.len()))];
            *response.pointer_mut(at).unwrap() = value;
            if response.as_object().unwrap().is_empty() { break; }
        }
        let sent = json!({ "status": "Success", "response": response }).to_string();
        let analysis = success(parse(sent.as_bytes()).unwrap());
        assert_storable(&analysis);
        let reread: Value = serde_json::from_str(&sent).unwrap();
        prop_assert_eq!(document(&analysis), reread["response"].clone());
    }
}
