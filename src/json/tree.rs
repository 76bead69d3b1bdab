//! A parsed value that borrows its texts from what it was parsed from, for bodies of many small objects.
//!
//! Unlike `serde_json::Value` it allocates nothing but lists, unless a text has escapes.
use std::{borrow::Cow, collections::HashMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

/// Up to this many members, a name is looked for among them one by one.
const FEW: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub enum Tree<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Tree<'a>>),
    Object(Members<'a>),
}

/// Members of an object in order of first appearance; of a repeated name, the last value.
#[derive(Debug, Clone, PartialEq)]
pub struct Members<'a, V = Tree<'a>>(pub Vec<(Cow<'a, str>, V)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Tree<'a> {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub fn as_object(&self) -> Option<&Members<'a>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// Whether U+0000 occurs anywhere, including member names.
    pub fn has_nul(&self) -> bool {
        match self {
            Self::String(text) => text.contains('\0'),
            Self::Array(items) => items.iter().any(Tree::has_nul),
            Self::Object(Members(members)) => {
                members.iter().any(|(name, value)| name.contains('\0') || value.has_nul())
            }
            Self::Null | Self::Bool(_) | Self::Number(_) => false,
        }
    }
}

impl<V> Members<'_, V> {
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// As JSON text.
impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(Members(members)) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Tree<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree<'de>, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Tree<'de>, E> {
                Ok(Tree::Number(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Tree<'de>, E> {
                Ok(Tree::Number(number.into()))
            }

            /// JSON has no other numbers than finite ones.
            fn visit_f64<E>(self, number: f64) -> Result<Tree<'de>, E> {
                Ok(Number::from_f64(number).map_or(Tree::Null, Tree::Number))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Tree<'de>, E> {
                Ok(Tree::String(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Tree<'de>, E> {
                Ok(Tree::String(text.to_owned().into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Tree::Array(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tree<'de>, A::Error> {
                EachMember(PhantomData).visit_map(map).map(Tree::Object)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<'de, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EachMember(PhantomData))
    }
}

struct EachMember<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EachMember<V> {
    type Value = Members<'de, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de, V>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, V)> = Vec::new();
        // Filled once there are more than a few.
        let mut places: HashMap<Cow<'de, str>, usize> = HashMap::new();
        while let Some((Text(name), value)) = map.next_entry()? {
            let known = if places.is_empty() {
                members.iter().position(|(known, _)| *known == name)
            } else {
                places.get(&name).copied()
            };
            if let Some(member) = known.and_then(|at| members.get_mut(at)) {
                member.1 = value;
                continue;
            }
            members.push((name, value));
            if members.len() > FEW {
                let unplaced = members.iter().enumerate().skip(places.len());
                places.extend(unplaced.map(|(at, (name, _))| (name.clone(), at)));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// JSON text with names that repeat, escapes, and numbers of all kinds.
    fn texts() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            any::<u64>().prop_map(|value| value.to_string()),
            (-1e300..1e300).prop_map(|value: f64| format!("{value:e}")),
            prop::sample::select(vec!["-0", "1.50", "123456789012345678901234567890", "1E2"])
                .prop_map(str::to_owned),
            any::<String>().prop_map(|text| Value::from(text).to_string()),
            Just(r#""\u0061\n\u0000""#.to_owned()),
        ];
        leaf.prop_recursive(4, 64, 24, |inner| {
            let name = prop::sample::select(vec!["a", "b", r"\u0061", "c\\n", ""]);
            let numbered = (0..40).prop_map(|n| format!("n{n}"));
            let name = prop_oneof![name.prop_map(str::to_owned), numbered];
            let members = prop::collection::vec((name, inner.clone()), 0..24);
            prop_oneof![
                prop::collection::vec(inner, 0..6)
                    .prop_map(|items| format!("[{}]", items.join(" , "))),
                members.prop_map(|members| {
                    let each = members.iter().map(|(name, value)| format!("\"{name}\" : {value}"));
                    format!("{{{}}}", each.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_tree_holds_what_a_value_of_the_library_holds(text in texts()) {
            let tree: Tree<'_> = serde_json::from_str(&text).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(tree.to_string(), value.to_string());
            prop_assert_eq!(tree.has_nul(), crate::json::has_nul(&value));
        }
    }

    #[test]
    fn the_last_of_many_repeated_names_wins_at_the_place_of_the_first() {
        let once: Vec<_> = (0..1000).map(|n| format!("\"n{n}\":0")).collect();
        let again = once.iter().rev().map(|member| member.replace(":0", ":1"));
        let text =
            format!("{{{}}}", once.iter().cloned().chain(again).collect::<Vec<_>>().join(","));
        let tree: Tree<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(tree.to_string(), format!("{{{}}}", once.join(",")).replace(":0", ":1"));
    }

    #[test]
    fn texts_are_borrowed_unless_they_have_escapes() {
        let tree: Tree<'_> = serde_json::from_str(r#"{"a":"b","c":"\n"}"#).unwrap();
        let Tree::Object(Members(members)) = tree else { panic!("no object") };
        let borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
        let texts = members.iter().map(|(name, value)| match value {
            Tree::String(text) => (borrowed(name), borrowed(text)),
            _ => panic!("no text"),
        });
        assert_eq!(texts.collect::<Vec<_>>(), [(true, true), (true, false)]);
    }
}
