//! The bodies of requests about keys, with all their faults at once.
use std::{ops::RangeInclusive, time::Duration};

use clap::ValueEnum as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{
        Array, Ref,
        schema::{ArrayBuilder, SchemaType, Type},
    },
};

use crate::{
    callers::{self, Scope},
    config::KeysSettings,
    http::{Fault, Faults, closest},
    json,
};

/// The key to create. Unknown members are rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "caller": "support-desk", "name": "host 7", "scopes": ["jobs:write", "jobs:read", "transcript:read"],
    "expiresInSeconds": 31_536_000,
}))]
#[expect(dead_code, reason = "describes the body")]
pub struct CreateKey {
    /// The app that will use the key; it is registered if it is new.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    caller: String,
    /// What the key is for, such as a host or a person; default `default`.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(schema_with = scopes)]
    scopes: Option<Vec<Scope>>,
    /// How long the key is valid; null: it does not expire. Default: `keys.lifetime`.
    #[schema(minimum = 1, maximum = 1_576_800_000)]
    expires_in_seconds: Option<u64>,
    /// Requests per `keys.rate_window`; default: `keys.rate_limit`.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    rate: Option<u32>,
}

fn scopes() -> Array {
    let about = "What the key may do: exactly this. Default: `jobs:write`, `jobs:read`, `transcript:read`, `search:read` and \
        `stats:read`.";
    let list = ArrayBuilder::new().items(Ref::from_schema_name("Scope")).description(Some(about));
    let list = list.schema_type(SchemaType::from_iter([Type::Array, Type::Null]));
    list.min_items(Some(1)).max_items(Some(Scope::value_variants().len())).build()
}

/// How to roll a key. Unknown members are rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "overlapSeconds": 86_400 }))]
#[expect(dead_code, reason = "describes the body")]
pub struct RollKey {
    /// How long the old key stays valid; default: `keys.overlap`.
    #[schema(minimum = 0, maximum = 1_576_800_000)]
    overlap_seconds: Option<u64>,
    /// How long the new key is valid; null: it does not expire. Default: `keys.lifetime`.
    #[schema(minimum = 1, maximum = 1_576_800_000)]
    expires_in_seconds: Option<u64>,
}

/// A valid [`CreateKey`].
#[derive(Debug)]
pub struct ToCreate {
    pub caller: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub lifetime: Option<Duration>,
    pub rate: Option<u32>,
}

/// A valid [`RollKey`].
#[derive(Debug)]
pub struct ToRoll {
    pub overlap: Duration,
    pub lifetime: Option<Duration>,
}

impl ToCreate {
    pub fn read(body: Value, of: &KeysSettings) -> Result<Self, Faults> {
        let known = ["caller", "name", "scopes", "expiresInSeconds", "rate"];
        let mut body = Body::of(body, &known)?;
        let caller = body.caller();
        let name = body.name();
        let scopes = body.scopes();
        let lifetime = body.lifetime(of);
        let rate = body.number("rate", 1..=u64::from(callers::MAX_RATE), None);
        let rate = rate.and_then(|rate| u32::try_from(rate).ok());
        body.end(Self { caller, name, scopes, lifetime, rate })
    }
}

impl ToRoll {
    pub fn read(body: Value, of: &KeysSettings) -> Result<Self, Faults> {
        let mut body = Body::of(body, &["overlapSeconds", "expiresInSeconds"])?;
        let longest = callers::LONGEST_LIFETIME.as_secs();
        let overlap = body.number("overlapSeconds", 0..=longest, None);
        let overlap = overlap.map_or(of.overlap, Duration::from_secs);
        let lifetime = body.lifetime(of);
        body.end(Self { overlap, lifetime })
    }
}

/// The members of a body that are left to read, and what is wrong with the others.
struct Body {
    members: Map<String, Value>,
    faults: Faults,
}

impl Body {
    fn of(body: Value, known: &[&str]) -> Result<Self, Faults> {
        let Value::Object(members) = body else {
            return Err(Fault::at("#", "type", "the body must be a JSON object").into());
        };
        let mut faults = Faults::default();
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = closest(name, known.iter().copied());
            let at = format!("#/{}", name.replace('~', "~0").replace('/', "~1"));
            faults.add(|| Fault::at(at, "unknown", format!("is not a member{hint}")));
        }
        Ok(Self { members, faults })
    }

    fn end<T>(self, read: T) -> Result<T, Faults> {
        if self.faults.is_empty() { Ok(read) } else { Err(self.faults) }
    }

    fn fault(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault::at(format!("#/{name}"), code, detail));
    }

    fn caller(&mut self) -> String {
        match self.members.remove("caller") {
            Some(Value::String(name)) if callers::is_caller_name(&name) => return name,
            Some(Value::String(_)) => {
                let detail = "must have 1 to 64 lower-case letters, digits, `.`, `_`, `-`, and begin with a letter or \
                    digit";
                self.fault("caller", "format", detail);
            }
            Some(Value::Null) | None => {
                self.fault("caller", "missing", "name the app that will use the key");
            }
            Some(_) => self.fault("caller", "type", "must be a string"),
        }
        String::new()
    }

    fn name(&mut self) -> String {
        match self.members.remove("name") {
            Some(Value::String(name)) => {
                if !(1..=callers::MAX_NAME).contains(&name.chars().count()) {
                    let detail = format!("must have 1 to {} characters", callers::MAX_NAME);
                    self.fault("name", "length", detail);
                } else if name.contains(char::is_control) {
                    self.fault("name", "format", "must be one line without control characters");
                }
                name
            }
            Some(Value::Null) | None => "default".to_owned(),
            Some(_) => {
                self.fault("name", "type", "must be a string");
                String::new()
            }
        }
    }

    fn scopes(&mut self) -> Vec<Scope> {
        let names = match self.members.remove("scopes") {
            Some(Value::Array(names)) => names,
            Some(Value::Null) | None => return Scope::PLAIN.to_vec(),
            Some(_) => {
                self.fault("scopes", "type", "must be an array");
                return Vec::new();
            }
        };
        let all = Scope::value_variants();
        if !(1..=all.len()).contains(&names.len()) {
            let detail =
                format!("must have 1 to {} scopes; leave it out for the usual ones", all.len());
            self.fault("scopes", "length", detail);
            return Vec::new();
        }
        let mut scopes = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let text = name.as_str().unwrap_or_default();
            match Scope::from_str(text, false) {
                Ok(scope) if !scopes.contains(&scope) => scopes.push(scope),
                Ok(_) => {}
                Err(_) => {
                    let known = all.iter().map(|scope| scope.name());
                    let hint = closest(text, known.clone());
                    let known = known.collect::<Vec<_>>().join(", ");
                    let detail = format!("must be one of {known}{hint}");
                    self.fault(&format!("scopes/{n}"), "enum", detail);
                }
            }
        }
        scopes
    }

    fn lifetime(&mut self, of: &KeysSettings) -> Option<Duration> {
        let longest = callers::LONGEST_LIFETIME.as_secs();
        let usual = of.lifetime.map(|lifetime| lifetime.as_secs());
        self.number("expiresInSeconds", 1..=longest, usual).map(Duration::from_secs)
    }

    /// `usual`: if it is not given; null is `None`.
    fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<u64>,
        usual: Option<u64>,
    ) -> Option<u64> {
        let Some(given) = self.members.remove(name) else { return usual };
        if given.is_null() {
            return None;
        }
        let number = json::whole(&given).and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let code = if given.is_number() { "range" } else { "type" };
            let detail =
                format!("must be a whole number from {} to {}", range.start(), range.end());
            self.fault(name, code, detail);
        }
        number
    }
}
