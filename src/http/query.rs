//! Query strings: reports all errors at once, and parses the parameters common to all lists.
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};
use url::form_urlencoded;
use utoipa::IntoParams;

use super::{Fault, Faults, closest};

/// Rejects all parameters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Parses a query string, or returns the errors of each parameter.
pub fn read_query<T: DeserializeOwned + IntoParams>(query: &str) -> Result<T, Faults> {
    let is_plain = |value: &str| !value.is_empty() && !value.contains('\0');
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match serde_html_form::from_str(query) {
        Ok(read) if pairs.all(|(_, value)| is_plain(&value)) => Ok(read),
        read => Err(faults::<T>(query, read.err())),
    }
}

/// Number of pairs examined in an invalid query: each takes time, and a query can contain thousands.
const MOST_DIAGNOSED: usize = 500;

/// The errors of each parameter; `error` is the error of the whole query.
fn faults<T: DeserializeOwned + IntoParams>(
    query: &str,
    error: Option<serde_html_form::de::Error>,
) -> Faults {
    let mut given: Vec<(String, Vec<String>)> = Vec::new();
    let mut faults = Faults::default();
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    for (name, value) in pairs.take(MOST_DIAGNOSED) {
        match given.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => given.push((name, vec![value])),
        }
    }
    let known: Vec<String> = T::into_params(|| None).into_iter().map(|it| it.name).collect();
    for (name, values) in &given {
        if let Some(fault) = fault::<T>(name, values, &known) {
            faults.push(fault);
        }
    }
    if faults.is_empty() {
        // Every parameter is valid on its own, so the error applies to the whole query.
        let detail = error.map(|error| error.to_string()).unwrap_or_default();
        faults.push(Fault::of_parameter("", "format", detail));
    }
    faults
}

/// The error of one parameter: it is parsed as if it were the only one.
fn fault<T: DeserializeOwned>(name: &str, values: &[String], known: &[String]) -> Option<Fault> {
    if !known.iter().any(|known| known == name) {
        let hint = closest(name, known.iter().map(String::as_str));
        let name = name.replace('\0', "\u{fffd}");
        return Some(Fault::of_parameter(name, "unknown", format!("is not a parameter{hint}")));
    }
    if values.iter().any(|value| value.contains('\0')) {
        let detail = "must not contain the character U+0000";
        return Some(Fault::of_parameter(name, "nul", detail));
    }
    if values.iter().any(String::is_empty) {
        let detail = "has no value; leave the parameter out instead";
        return Some(Fault::of_parameter(name, "empty", detail));
    }
    let read_as = |values: &[String]| {
        let mut alone = form_urlencoded::Serializer::new(String::new());
        alone.extend_pairs(values.iter().map(|value| (name, value)));
        serde_html_form::from_str::<T>(&alone.finish())
    };
    let error = read_as(values).err()?.to_string();
    let is_each_right = values.chunks(1).all(|value| read_as(value).is_ok());
    let (code, detail) = if is_each_right {
        ("repeated", "must not be repeated".to_owned())
    } else {
        ("value", error)
    };
    Some(Fault::of_parameter(name, code, detail))
}

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// Rows per page: 1 to 200, default 50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(i64);

impl Limit {
    pub const MAX: Self = Self(MAX_LIMIT);

    pub fn get(self) -> i64 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

/// From a query, where it is a string, or a JSON body, where it is a number.
impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from 1 to {MAX_LIMIT}")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Limit, E> {
                let wrong = || E::custom(format!("must be a whole number from 1 to {MAX_LIMIT}"));
                (1..=MAX_LIMIT).contains(&number).then_some(Limit(number)).ok_or_else(wrong)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Limit, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }

            /// JSON has one number type: `50.0` is 50.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Limit, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
                self.visit_i64(text.parse().unwrap_or_default())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A timestamp (RFC 3339), whose four-digit years are all within Postgres's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Timestamp(pub DateTime<Utc>);

impl TryFrom<String> for Timestamp {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let at = DateTime::parse_from_rfc3339(&text);
        at.map(|at| Self(at.to_utc()))
            .map_err(|_| "must be a time such as 2026-05-01T00:00:00Z (RFC 3339; + is written %2B)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, IntoParams)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Query {
        #[serde(default)]
        tag: Vec<String>,
        #[param(value_type = Option<i64>)]
        limit: Option<Limit>,
        #[param(value_type = Option<DateTime<Utc>>)]
        created_after: Option<Timestamp>,
        exact: Option<bool>,
        sort: Option<String>,
    }

    fn faults(query: &str) -> Vec<(String, &'static str)> {
        let faults = read_query::<Query>(query).unwrap_err();
        let faults = faults.into_listed().into_iter();
        faults.map(|fault| (fault.parameter.unwrap(), fault.code)).collect()
    }

    #[test]
    fn all_faults_come_at_once() {
        assert_eq!(
            faults(
                "limit=201&sort=&tag=a%00&createdafter=1&exact=true&exact=false&createdAfter=today"
            ),
            [
                ("limit".to_owned(), "value"),
                ("sort".to_owned(), "empty"),
                ("tag".to_owned(), "nul"),
                ("createdafter".to_owned(), "unknown"),
                ("exact".to_owned(), "repeated"),
                ("createdAfter".to_owned(), "value"),
            ]
        );
    }

    #[test]
    fn of_very_many_wrong_ones_only_the_first_are_looked_into() {
        let many: Vec<_> = (0..20_000).map(|n| format!("p{n}=1")).collect();
        let faults = read_query::<Query>(&many.join("&")).unwrap_err();
        assert_eq!((faults.listed().len(), faults.count()), (100, MOST_DIAGNOSED));
    }

    #[test]
    fn an_unknown_name_gets_a_hint_and_a_wrong_value_the_rule() {
        let faults = read_query::<Query>("creatdAfter=&limit=ten&exact=yes").unwrap_err();
        let details: Vec<_> = faults.listed().iter().map(|fault| fault.detail.as_str()).collect();
        assert_eq!(details[0], "is not a parameter; did you mean createdAfter?");
        assert_eq!(details[1], "must be a whole number from 1 to 200");
        assert!(details[2].contains("`true` or `false`"), "{details:?}");
    }

    #[test]
    fn lists_may_be_repeated() {
        let query: Query =
            read_query("tag=a&tag=b&createdAfter=2026-05-01T02:00:00%2B02:00").unwrap();
        assert_eq!(query.tag, ["a", "b"]);
        assert_eq!(query.limit, None);
        assert_eq!(query.created_after.unwrap().0.to_rfc3339(), "2026-05-01T00:00:00+00:00");
        assert!(read_query::<Query>("").is_ok());
        assert!(read_query::<NoParameters>("").is_ok());
        assert!(read_query::<NoParameters>("a=1").is_err());
    }
}
