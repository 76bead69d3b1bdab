//! Members of a JSON object as the original text, so that what is served later matches what was received, digit for
//! digit.
use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{insights::Member, json::Members};

/// The members of `response` in this envelope, which has already been parsed as a whole.
pub(super) fn response(envelope: &str) -> serde_json::Result<Vec<Member>> {
    let top: Members<'_, &RawValue> = serde_json::from_str(envelope)?;
    let Some(response) = top.get("response") else { return Ok(Vec::new()) };
    let members: Members<'_, &RawValue> = serde_json::from_str(response.get())?;
    let owned = |(name, json): (Cow<'_, str>, &RawValue)| Member {
        name: name.into_owned(),
        json: json.get().to_owned(),
    };
    Ok(members.0.into_iter().map(owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(envelope: &str) -> Vec<(String, String)> {
        let members = response(envelope).unwrap().into_iter();
        members.map(|member| (member.name, member.json)).collect()
    }

    #[test]
    fn text_is_kept_to_the_last_digit_and_space() {
        let members = of(
            r#"{"status":"Success","response":{"a":[ 1.50, 12345678901234567890123 ],"b":"\u00e4"}}"#,
        );
        let expected = [("a", "[ 1.50, 12345678901234567890123 ]"), ("b", r#""\u00e4""#)];
        assert_eq!(members, expected.map(|(name, json)| (name.to_owned(), json.to_owned())));
    }

    #[test]
    fn of_a_repeated_name_the_last_value_counts() {
        let members = of(r#"{"response":{"a":0},"response":{"b":1,"a":2,"\u0062":3}}"#);
        let expected = [("b", "3"), ("a", "2")];
        assert_eq!(members, expected.map(|(name, json)| (name.to_owned(), json.to_owned())));
    }
}
