//! Integers beyond 64 bits, which a parsed value keeps only approximately.
use std::collections::HashMap;

use serde_json::{Value, value::RawValue};

/// The value as text, with the digits of such integers taken from `text`, which it was parsed from.
pub fn exact(value: &Value, text: &str) -> String {
    let mut out = String::new();
    write(&mut out, value, text);
    out
}

/// Whether the value may contain such an integer: it is parsed as a float.
pub fn may_be_rough(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(may_be_rough),
        Value::Object(members) => members.values().any(may_be_rough),
        _ => false,
    }
}

fn write(out: &mut String, value: &Value, text: &str) {
    if !may_be_rough(value) {
        out.push_str(&value.to_string());
        return;
    }
    match value {
        Value::Array(items) => {
            let texts: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                separate(out, n);
                write(out, item, texts.get(n).map_or("", |text| text.get()));
            }
            out.push(']');
        }
        Value::Object(members) => {
            // With a repeated name the last one wins, as it does in the parsed value.
            let texts: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
            out.push('{');
            for (n, (name, member)) in members.iter().enumerate() {
                separate(out, n);
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(out, member, texts.get(name).map_or("", |text| text.get()));
            }
            out.push('}');
        }
        _ if is_whole(text) => out.push_str(text),
        _ => out.push_str(&value.to_string()),
    }
}

fn separate(out: &mut String, n: usize) {
    if n > 0 {
        out.push(',');
    }
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(text: &str) -> String {
        exact(&serde_json::from_str(text).unwrap(), text)
    }

    #[test]
    fn whole_numbers_keep_every_digit_wherever_they_are() {
        let text = r#"{"a":123456789012345678901234567890,"b":[-99999999999999999999,{"c\"":18446744073709551616}]}"#;
        assert_eq!(exactly(text), text);
        assert_eq!(exactly("18446744073709551616"), "18446744073709551616");
    }

    #[test]
    fn all_else_is_as_it_was_read() {
        let text = r#" { "a" : 1.50 , "b": [1e2, "1", 7, null], "a": 36893488147419103232, "\u0063": -0 } "#;
        assert_eq!(exactly(text), r#"{"a":36893488147419103232,"b":[100.0,"1",7,null],"c":-0}"#);
    }
}
