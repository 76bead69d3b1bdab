//! Bodies of requests about endpoints: their schemas, and what is wrong with one, all at once.
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use utoipa::{
    ToSchema,
    openapi::{
        Array,
        schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type},
    },
};

use crate::{
    api::ApiError,
    callers::{Caller, Scope, Scopes},
    egress::{Guard, Secret, masked},
    endpoints::{EventType, Include, NewUrl},
    http::{Fault, Faults, closest},
};

const MAX_URL: usize = 2048;
const MAX_DESCRIPTION: usize = 500;

/// An endpoint to create. Unknown members are rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://crm.example/hooks/aftercall", "events": ["job.completed", "job.failed"],
    "description": "Updates the case",
}))]
#[expect(dead_code, reason = "describes the body")]
pub struct CreateEndpoint {
    /// Receives messages as POST requests. Credentials in it are stored encrypted and never shown.
    #[schema(format = "uri", pattern = "^https?://", max_length = 2048)]
    url: String,
    #[schema(schema_with = selectable)]
    events: Option<Vec<EventType>>,
    /// What messages contain beyond the minimum. Requires the scope `transcript:read`.
    #[schema(max_items = 1)]
    include: Option<Vec<Include>>,
    #[schema(max_length = 500)]
    description: Option<String>,
    /// A signing secret of your own: `whsec_` and the base64 of 24 to 64 random bytes. By default a new one is made.
    #[schema(
        pattern = "^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|([A-Za-z0-9+/]{4})?[A-Za-z0-9+/]{2}==)?$"
    )]
    secret: Option<String>,
}

/// What to change about an endpoint. Members that are left out stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "events": ["job.completed"], "description": null }))]
#[expect(dead_code, reason = "describes the body")]
pub struct UpdateEndpoint {
    #[schema(format = "uri", pattern = "^https?://", max_length = 2048)]
    url: Option<String>,
    #[schema(schema_with = selectable)]
    events: Option<Vec<EventType>>,
    /// Requires the scope `transcript:read`, unless it is empty.
    #[schema(max_items = 1)]
    include: Option<Vec<Include>>,
    #[schema(max_length = 500)]
    description: Option<String>,
}

/// The new secret of an endpoint.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "keepPrevious": true }))]
#[expect(dead_code, reason = "describes the body")]
pub struct RotateSecret {
    /// A secret of your own; by default a new one is made.
    #[schema(
        pattern = "^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|([A-Za-z0-9+/]{4})?[A-Za-z0-9+/]{2}==)?$"
    )]
    secret: Option<String>,
    /// Whether the secret until now also signs for a while (`notify.rotation_overlap`); default `true`. `false` is for a
    /// secret that has leaked.
    keep_previous: Option<bool>,
}

/// Where to send a test.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "url": "https://crm.example/hooks/aftercall" }))]
#[expect(dead_code, reason = "describes the body")]
pub struct TestUrl {
    #[schema(format = "uri", pattern = "^https?://", max_length = 2048)]
    url: String,
    /// The secret that signs; by default a random one.
    #[schema(
        pattern = "^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|([A-Za-z0-9+/]{4})?[A-Za-z0-9+/]{2}==)?$"
    )]
    secret: Option<String>,
}

/// The events that an endpoint can select.
fn selectable() -> Array {
    let about = "Which events to send; by default that a job ended, in whatever way, and that another endpoint was paused.";
    let names = EventType::ALL.iter().filter(|kind| kind.can_be_selected()).map(|kind| kind.name());
    let names: Vec<_> = names.collect();
    let most = names.len();
    let item = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    let list = ArrayBuilder::new().items(item).description(Some(about));
    let list = list.schema_type(SchemaType::from_iter([Type::Array, Type::Null]));
    list.min_items(Some(1)).max_items(Some(most)).build()
}

pub const CREATE: &[&str] = &["url", "events", "include", "description", "secret"];
pub const UPDATE: &[&str] = &["url", "events", "include", "description"];
pub const ROTATE: &[&str] = &["secret", "keepPrevious"];
pub const TEST: &[&str] = &["url", "secret"];

/// A body that has been read. A member that was left out, or is null, is `None`.
#[derive(Debug, Default)]
pub struct Draft {
    pub url: Option<NewUrl>,
    pub events: Option<Vec<EventType>>,
    pub include: Option<Vec<Include>>,
    /// Empty if it is null.
    pub description: Option<String>,
    pub secret: Option<Secret>,
    pub keep_previous: Option<bool>,
}

impl Draft {
    /// Reads a body that may have these members, of which `required` must be there; also asks the guard about the URL.
    ///
    /// # Errors
    /// `validation-failed` with all faults; `missing-scope` if the key may not read what it wants to have included.
    pub async fn read(
        body: &Value,
        members: &[&str],
        required: &[&str],
        guard: &Guard,
        caller: &Caller,
    ) -> Result<Self, ApiError> {
        let mut faults = Faults::default();
        let draft = Self::members(body, members, required, &mut faults);
        if let Some(new) = &draft.url
            && let Err(refused) = guard.vet(&new.url).await
        {
            faults.push(Fault::at("#/url", refused.code(), refused.to_string()));
        }
        if !faults.is_empty() {
            return Err(ApiError::ValidationFailed(faults));
        }
        if draft.include.as_ref().is_some_and(|include| !include.is_empty()) {
            caller.require(Scopes::from_iter([Scope::TranscriptRead]))?;
        }
        Ok(draft)
    }

    fn members(body: &Value, members: &[&str], required: &[&str], faults: &mut Faults) -> Self {
        let mut draft = Self::default();
        let Some(body) = body.as_object() else {
            faults.push(Fault::at("#", "type", "must be an object"));
            return draft;
        };
        for name in required.iter().filter(|name| body.get(**name).is_none_or(Value::is_null)) {
            faults.push(Fault::at(format!("#/{name}"), "missing", "is required"));
        }
        for (name, value) in body {
            if !members.contains(&name.as_str()) {
                faults.add(|| unknown(name, members));
                continue;
            }
            match name.as_str() {
                "description" => draft.description = description(value, faults),
                _ if value.is_null() => {}
                "url" => draft.url = url(value, faults),
                "events" => draft.events = events(value, faults),
                "include" => draft.include = include(value, faults),
                "secret" => draft.secret = secret(value, faults),
                _ => draft.keep_previous = boolean("#/keepPrevious", value, faults),
            }
        }
        draft
    }
}

fn unknown(name: &str, members: &[&str]) -> Fault {
    let pointer = format!("#/{}", name.replace('~', "~0").replace('/', "~1"));
    let advice = match name {
        "secret" => "; POST …/rotate replaces the secret".to_owned(),
        _ => closest(name, members.iter().copied()),
    };
    Fault::at(pointer, "unknown", format!("is not a known member{advice}"))
}

fn url(value: &Value, faults: &mut Faults) -> Option<NewUrl> {
    const AT: &str = "#/url";
    let text = text(AT, value, MAX_URL, faults)?;
    let url: Url = match text.parse() {
        Ok(url) => url,
        Err(error) => {
            let detail = format!("must be an absolute http or https URL: {error}");
            faults.push(Fault::at(AT, "format", detail));
            return None;
        }
    };
    // Normalized, it may be longer than it was.
    if url.as_str().len() > 3 * MAX_URL {
        faults.push(Fault::at(AT, "length", "is too long"));
        return None;
    }
    Some(NewUrl { shown: masked(&url), url })
}

fn events(value: &Value, faults: &mut Faults) -> Option<Vec<EventType>> {
    const AT: &str = "#/events";
    let selectable: Vec<_> =
        EventType::ALL.iter().copied().filter(|kind| kind.can_be_selected()).collect();
    let names: Vec<_> = selectable.iter().map(|kind| kind.name()).collect();
    let given = some_of(AT, value, &names, faults)?;
    if given.is_empty() {
        faults.push(Fault::at(AT, "length", "must name at least one type; pause it to get none"));
        return None;
    }
    Some(selectable.into_iter().filter(|kind| given.contains(&kind.name())).collect())
}

fn include(value: &Value, faults: &mut Faults) -> Option<Vec<Include>> {
    let names: Vec<_> = Include::ALL.iter().map(|part| part.name()).collect();
    let given = some_of("#/include", value, &names, faults)?;
    Some(Include::ALL.iter().copied().filter(|part| given.contains(&part.name())).collect())
}

/// The known names in a list; `None` if it is not a list.
fn some_of<'a>(
    at: &str,
    value: &Value,
    known: &[&'a str],
    faults: &mut Faults,
) -> Option<Vec<&'a str>> {
    let Some(items) = value.as_array() else {
        faults.push(Fault::at(at, "type", "must be an array of strings"));
        return None;
    };
    if items.len() > known.len() {
        let detail = format!("must have at most {} items", known.len());
        faults.push(Fault::at(at, "length", detail));
        return None;
    }
    let mut found = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match known.iter().find(|name| item.as_str() == Some(**name)) {
            Some(name) => found.push(*name),
            None => faults.push(not_one_of(&format!("{at}/{n}"), item, known)),
        }
    }
    Some(found)
}

fn not_one_of(at: &str, item: &Value, known: &[&str]) -> Fault {
    match item.as_str() {
        None => Fault::at(at, "type", "must be a string"),
        Some("notify.test") => {
            Fault::at(at, "enum", "is sent on request to every endpoint and cannot be selected")
        }
        Some(name) => {
            let detail = format!(
                "must be one of {}{}",
                known.join(", "),
                closest(name, known.iter().copied())
            );
            Fault::at(at, "enum", detail)
        }
    }
}

fn description(value: &Value, faults: &mut Faults) -> Option<String> {
    if value.is_null() {
        return Some(String::new());
    }
    text("#/description", value, MAX_DESCRIPTION, faults).map(str::to_owned)
}

fn secret(value: &Value, faults: &mut Faults) -> Option<Secret> {
    const AT: &str = "#/secret";
    let Some(text) = value.as_str() else {
        faults.push(Fault::at(AT, "type", "must be a string"));
        return None;
    };
    // The text itself is never quoted.
    text.parse()
        .map_err(|wrong: crate::egress::NotASecret| {
            faults.push(Fault::at(AT, "format", wrong.to_string()));
        })
        .ok()
}

fn boolean(at: &str, value: &Value, faults: &mut Faults) -> Option<bool> {
    if value.as_bool().is_none() {
        faults.push(Fault::at(at, "type", "must be true or false"));
    }
    value.as_bool()
}

fn text<'a>(at: &str, value: &'a Value, most: usize, faults: &mut Faults) -> Option<&'a str> {
    let Some(text) = value.as_str() else {
        faults.push(Fault::at(at, "type", "must be a string"));
        return None;
    };
    if text.chars().nth(most).is_some() {
        faults.push(Fault::at(at, "length", format!("must have at most {most} characters")));
        return None;
    }
    if text.contains('\0') {
        faults.push(Fault::at(at, "nul", "must not contain zero characters"));
        return None;
    }
    Some(text)
}
