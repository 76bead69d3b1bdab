//! The settings as a JSON schema, for editors and for checks before a deployment.
//!
//! Types come from the sections; defaults and descriptions from `config/default.toml`.
use std::collections::BTreeMap;

use config::{Config, File, FileFormat};
use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform as _},
};
use serde_json::{Value, json};

use super::{Settings, sources::DEFAULTS};

/// The schema of a configuration file.
pub fn schema() -> Result<Value, config::ConfigError> {
    let generator = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    let mut schema = generator.into_generator().into_root_schema_for::<Settings>();
    // A file contains only what differs from the defaults.
    let nothing_is_required = |schema: &mut Schema| {
        schema.remove("required");
        // TOML has no null.
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
    };
    RecursiveTransform(nothing_is_required).transform(&mut schema);
    schema.insert("title".to_owned(), json!("Configuration of Aftercall"));
    let mut schema = schema.to_value();
    let defaults: Value = Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .build()?
        .try_deserialize()?;
    describe(&mut schema, "", &defaults, &comments());
    schema["properties"]["provider"]["properties"]["accounts"]["default"] = json!({});
    Ok(schema)
}

/// Adds the default and the comment to every setting below `path`.
fn describe(schema: &mut Value, path: &str, default: &Value, comments: &BTreeMap<String, String>) {
    if let Some(sections) = default.as_object() {
        for (name, default) in sections {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            describe(&mut schema["properties"][name], &path, default, comments);
        }
        return;
    }
    schema["default"] = default.clone();
    if let Some(comment) = comments.get(path) {
        schema["description"] = json!(comment);
    }
}

/// The comments of `config/default.toml`: each applies to the setting right below it, and to those
/// that follow without a gap.
fn comments() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut section, mut comment, mut is_open) = (String::new(), String::new(), false);
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            if !is_open {
                comment.clear();
            }
            is_open = true;
            let gap = if comment.is_empty() { "" } else { " " };
            comment = format!("{comment}{gap}{}", text.trim());
        } else if let Some((name, _)) = line.split_once(" = ") {
            is_open = false;
            found.insert(format!("{section}{name}"), comment.clone());
        } else {
            is_open = false;
            comment.clear();
            if let Some(name) = line.strip_prefix('[') {
                section = format!("{}.", name.trim_end_matches(']'));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKED_IN: &str = include_str!("../../config/schema.json");

    fn read(text: &str) -> Value {
        let file = File::from_str(text, FileFormat::Toml);
        Config::builder().add_source(file).build().unwrap().try_deserialize().unwrap()
    }

    #[test]
    fn the_schema_in_the_tree_is_current() {
        let current = serde_json::to_string_pretty(&schema().unwrap()).unwrap() + "\n";
        assert!(current == CHECKED_IN, "stale: cargo run -- config schema > config/schema.json");
    }

    #[test]
    fn every_setting_has_its_type_default_and_description() {
        fn check(schema: &Value, path: &str) {
            let Some(properties) = schema["properties"].as_object() else {
                assert!(schema.get("default").is_some(), "{path} has no default: {schema}");
                assert!(schema["description"].is_string(), "{path} is not described: {schema}");
                let is_typed = ["type", "enum", "anyOf"].iter().any(|it| schema.get(it).is_some());
                assert!(is_typed, "{path} has no type: {schema}");
                return;
            };
            assert_eq!(schema["additionalProperties"], false, "{path}");
            for (name, schema) in properties {
                check(schema, &format!("{path}.{name}"));
            }
        }
        check(&schema().unwrap(), "");
    }

    #[test]
    fn files_that_can_be_used_fit_the_schema_and_others_do_not() {
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource("settings", schema().unwrap()).unwrap();
        let index = compiler.compile("settings", &mut schemas).unwrap();
        let fits = |text: &str| schemas.validate(&read(text), index).is_ok();
        assert!(fits(DEFAULTS));
        assert!(fits(include_str!("../../config/demo.toml")));
        assert!(fits("[api]\nmax_body = \"1.5 GB\"\nmax_connections = 1"));
        for wrong in [
            "roles = [\"cook\"]",
            "[api]\nmax_conections = 1",
            "[api]\nmax_connections = -1",
            "[api]\nmax_body = \"much\"",
            "[jobs]\ndeadline = \"soon\"",
            "[sandbox]\nenvelope = \"1984\"",
            "[webhook]\npublic_url = \"not an address\"",
        ] {
            assert!(!fits(wrong), "{wrong}");
        }
    }
}
