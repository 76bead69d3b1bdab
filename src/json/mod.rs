//! Properties of JSON text found without parsing it into values, and details that parsed values lose.
mod exact;
mod tree;

use std::{collections::HashMap, fmt, io};

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, value::RawValue};

pub use exact::{exact, may_be_rough};
pub use tree::{Members, Tree};

/// JSON has one number type: 2.0 is 2.
pub fn whole(value: &Value) -> Option<i64> {
    let from_float = || value.as_f64().filter(|n| n.fract() == 0.0)?.to_string().parse().ok();
    value.as_i64().or_else(from_float)
}

/// An upper bound for the number of values in JSON text: every value follows a comma, is the first in a bracket, or is
/// the whole text. Commas and brackets inside strings are counted too.
pub fn values_at_most(text: &[u8]) -> usize {
    // One-byte counters let the compiler vectorize the loop.
    let marks = text.chunks(255).map(|chunk| {
        let count: u8 = chunk.iter().map(|byte| u8::from(matches!(byte, b',' | b'[' | b'{'))).sum();
        usize::from(count)
    });
    1 + marks.sum::<usize>()
}

/// Whether JSON text contains more than `most` values. Invalid JSON is left to the parser, which fails before it has
/// produced more than that.
pub fn has_more_values(text: &[u8], most: usize) -> bool {
    if values_at_most(text) <= most {
        return false;
    }
    let mut left = most;
    let mut parser = serde_json::Deserializer::from_slice(text);
    // Texts with many commas usually have them inside strings, so the bound alone does not decide.
    let counted = ValueCounter(&mut left).deserialize(&mut parser);
    counted.is_err_and(|error| error.is_data())
}

/// Counts down once per value; one value too many is a data error.
struct ValueCounter<'a>(&'a mut usize);

impl<'de> DeserializeSeed<'de> for ValueCounter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        let too_many = || de::Error::custom("too many values");
        *self.0 = self.0.checked_sub(1).ok_or_else(too_many)?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueCounter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(ValueCounter(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key::<IgnoredAny>()?.is_some() {
            members.next_value_seed(ValueCounter(self.0))?;
        }
        Ok(())
    }
}

/// Whether a value is longer than `most` bytes when serialized; stops there.
pub fn is_longer(value: &Value, most: usize) -> bool {
    struct ByteLimit(usize);
    impl io::Write for ByteLimit {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::WriteZero)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(ByteLimit(most), value).is_err()
}

/// The text of an object's member; the last one when the name is repeated.
pub fn member<'a>(text: &'a [u8], name: &str) -> Option<&'a RawValue> {
    serde_json::from_slice::<HashMap<String, &RawValue>>(text).ok()?.remove(name)
}

/// Whether U+0000 occurs anywhere in a value, including member names.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

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
            let (text, values) = (value.to_string(), count(&value));
            prop_assert!(values_at_most(text.as_bytes()) >= values);
            prop_assert!(!has_more_values(text.as_bytes(), values));
            prop_assert!(has_more_values(text.as_bytes(), values - 1));
            prop_assert!(!is_longer(&value, text.len()));
            prop_assert!(is_longer(&value, text.len() - 1));
        }
    }

    #[test]
    fn a_dense_text_is_counted_exactly() {
        let dense = format!("[{}[]]", "[],".repeat(9999));
        assert_eq!(values_at_most(dense.as_bytes()), 20_001);
        let sparse = json!({ "text": "a".repeat(1000), "b": 1 }).to_string();
        assert_eq!(values_at_most(sparse.as_bytes()), 3);
    }

    #[test]
    fn what_is_no_json_is_left_to_the_parser() {
        for text in ["[1,,2]", "{,,,,", "[1,2", "", "\u{0}[,,,"] {
            assert!(!has_more_values(text.as_bytes(), 3), "{text}");
        }
        assert!(has_more_values(b"[1,2,3", 3));
    }
}
