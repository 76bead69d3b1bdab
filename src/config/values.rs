//! How values are written in TOML, and their JSON schemas.
use std::{borrow::Cow, fmt::Display, marker::PhantomData, str::FromStr, time::Duration};

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};

/// Whether Aftercall should do something automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Automatic {
    Auto,
    Off,
}

/// A size in bytes, capped at the address space.
pub fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// Parses a duration such as "30s" or "1h 30m".
pub(super) struct HumanDuration;

impl HumanDuration {
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        humantime_serde::deserialize(from)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(0|([0-9]+ *[A-Za-zµ]+ *)+)$" })
    }
}

/// The same where it may be left out.
pub(super) struct OptionalDuration;

impl OptionalDuration {
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        HumanDuration::deserialize(from).map(Some)
    }
}

impl JsonSchema for OptionalDuration {
    fn schema_name() -> Cow<'static, str> {
        "OptionalDuration".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        HumanDuration::json_schema(generator)
    }
}

/// Parses a list of durations.
pub(super) struct HumanDurations;

impl HumanDurations {
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Duration>, D::Error> {
        let parse = |text: String| humantime_serde::re::humantime::parse_duration(text.trim());
        let texts = Vec::<String>::deserialize(from)?.into_iter();
        texts.map(parse).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

impl JsonSchema for HumanDurations {
    fn schema_name() -> Cow<'static, str> {
        "Durations".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": HumanDuration::json_schema(generator) })
    }
}

/// Parses an age such as "90d", or "off".
pub(super) struct Age;

impl Age {
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(from)?;
        if text == "off" {
            return Ok(None);
        }
        let age = humantime_serde::re::humantime::parse_duration(&text);
        age.map(Some)
            .map_err(|error| D::Error::custom(format!("{error}; write \"90d\" or \"off\"")))
    }
}

impl JsonSchema for Age {
    fn schema_name() -> Cow<'static, str> {
        "Age".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(off|0|([0-9]+ *[A-Za-zµ]+ *)+)$" })
    }
}

/// An age as it is written in settings: in days if it is a number of days.
pub fn shown_age(age: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match age.as_secs() {
        seconds if seconds.is_multiple_of(DAY) && seconds > 0 => format!("{}d", seconds / DAY),
        _ => humantime_serde::re::humantime::format_duration(age).to_string(),
    }
}

/// The schema of a size such as "32MiB".
pub(super) struct HumanSize;

impl JsonSchema for HumanSize {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": "^[0-9]+(\\.[0-9]+)? *([KkMmGgTtPpEe][Ii]?)?[Bb]?$",
        })
    }
}

/// Parses an optional value: TOML has no null, so an empty string stands for absence.
pub(super) struct Optional<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> Optional<T> {
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        let text = String::deserialize(from)?;
        match text.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(D::Error::custom),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Optional<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Optional{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let schema = T::json_schema(generator);
        if schema.get("format").is_none() {
            return schema;
        }
        json_schema!({ "anyOf": [schema, { "const": "" }] })
    }
}

/// The same for a secret.
pub(super) struct OptionalSecret;

impl OptionalSecret {
    pub fn deserialize<'de, D>(from: D) -> Result<Option<SecretString>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let text = SecretString::deserialize(from)?;
        Ok((!text.expose_secret().is_empty()).then_some(text))
    }
}

impl JsonSchema for OptionalSecret {
    fn schema_name() -> Cow<'static, str> {
        "OptionalSecret".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
