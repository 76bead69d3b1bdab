//! Members of a JSON object as the original text, so that what is served later matches what was received, digit for
//! digit.
use std::collections::HashMap;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::insights::Member;

/// Members in order of first appearance; with repeated names the last value wins.
struct Members<'a>(Vec<(String, &'a RawValue)>);

/// The members of `response` in this envelope, which has already been parsed as a whole.
pub(super) fn response(envelope: &str) -> serde_json::Result<Vec<Member>> {
    let Members(top) = serde_json::from_str(envelope)?;
    let Some((_, response)) = top.into_iter().find(|(name, _)| name == "response") else {
        return Ok(Vec::new());
    };
    let Members(members) = serde_json::from_str(response.get())?;
    let owned = |(name, json): (String, &RawValue)| Member { name, json: json.get().to_owned() };
    Ok(members.into_iter().map(owned).collect())
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                let mut places: HashMap<String, usize> = HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if let Some(known) = places.get(&name).and_then(|at| members.get_mut(*at)) {
                        known.1 = value;
                    } else {
                        places.insert(name.clone(), members.len());
                        members.push((name, value));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Each)
    }
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
