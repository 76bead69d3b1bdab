//! How much a JSON text holds, before it is parsed.

/// The values in JSON text, or more: each comes after a comma, is the first one in a bracket, or is the
/// whole. Commas and brackets within strings count as well.
pub fn values_at_most(text: &[u8]) -> usize {
    // Counts of one byte each let the compiler look at many bytes at once.
    let marks = text.chunks(255).map(|chunk| {
        let count: u8 = chunk.iter().map(|byte| u8::from(matches!(byte, b',' | b'[' | b'{'))).sum();
        usize::from(count)
    });
    1 + marks.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn no_value_escapes_the_count(
            flat in proptest::collection::vec("[a-z,\\[{]{0,3}", 0..400),
            deep in 0..60,
        ) {
            let nested = (0..deep).fold(json!({}), |inner, _| json!([{ "a": inner }, [], 1]));
            let value = json!([flat, nested]);
            prop_assert!(values_at_most(value.to_string().as_bytes()) >= count(&value));
        }
    }

    #[test]
    fn a_dense_text_is_counted_exactly() {
        let dense = format!("[{}[]]", "[],".repeat(9999));
        assert_eq!(values_at_most(dense.as_bytes()), 20_001);
        let sparse = json!({ "text": "a".repeat(1000), "b": 1 }).to_string();
        assert_eq!(values_at_most(sparse.as_bytes()), 3);
    }
}
