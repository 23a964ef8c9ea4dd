//! Builds JSON Schemas of the files that are read here, for editors.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// A JSON Schema (draft 2020-12) of a value of a TOML file.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema(Map<String, Value>);

/// The draft that documents name.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Schema {
    fn new(about: &str, of: Value) -> Self {
        let mut map = match of {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        if !about.is_empty() {
            map.insert("description".to_owned(), about.into());
        }
        Self(map)
    }

    /// A text that says something.
    pub fn text(about: &str) -> Self {
        Self::new(about, json!({"type": "string", "minLength": 1}))
    }

    /// Any text, the empty one too.
    pub fn any_text(about: &str) -> Self {
        Self::new(about, json!({"type": "string"}))
    }

    /// `true` or `false`.
    pub fn flag(about: &str) -> Self {
        Self::new(about, json!({"type": "boolean"}))
    }

    /// `true`, and nothing else.
    pub fn only_true(about: &str) -> Self {
        Self::new(about, json!({"const": true}))
    }

    /// A whole number of at least this.
    pub fn number(about: &str, least: u64) -> Self {
        Self::new(about, json!({"type": "integer", "minimum": least}))
    }

    /// A number of bytes, or a text such as `64KiB`.
    pub fn bytes(about: &str) -> Self {
        let text = json!({"type": "string", "pattern": r"^\s*\d+\s*(B|KiB|MiB|GiB|kB|KB|MB|GB)?\s*$"});
        Self::new(about, json!({"anyOf": [{"type": "integer", "minimum": 0}, text]}))
    }

    /// A time span such as `240s`.
    pub fn duration(about: &str) -> Self {
        Self::new(
            about,
            json!({"type": "string", "pattern": r"^\s*\d+\s*(ms|s|m|min|h|d)\s*$"}),
        )
    }

    /// A date, or a time.
    pub fn date(about: &str) -> Self {
        Self::new(
            about,
            json!({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}([T ].*)?$"}),
        )
    }

    /// A text, a whole number, `true` or `false`.
    pub fn scalar(about: &str) -> Self {
        Self::new(about, json!({"type": ["string", "integer", "boolean"]}))
    }

    /// One of these words.
    pub fn one_of<'w>(about: &str, words: impl IntoIterator<Item = &'w str>) -> Self {
        let words: Vec<_> = words.into_iter().collect();
        Self::new(about, json!({"enum": words}))
    }

    /// A list that is not empty.
    pub fn list(about: &str, item: Self) -> Self {
        Self::new(about, json!({"type": "array", "minItems": 1, "items": item.0}))
    }

    /// One of these, or a list of them.
    pub fn one_or_list(about: &str, item: Self) -> Self {
        Self::new(
            about,
            json!({"anyOf": [item.0, {"type": "array", "minItems": 1, "items": item.0}]}),
        )
    }

    /// A table without keys, to which [`key`](Self::key) adds.
    pub fn table(about: &str) -> Self {
        Self::new(
            about,
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
        )
    }

    /// Either of two forms.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::new("", json!({"anyOf": [self.0, other.0]}))
    }

    /// The same table with this key.
    #[must_use]
    pub fn key(mut self, name: &str, value: Self) -> Self {
        if let Some(Value::Object(keys)) = self.0.get_mut("properties") {
            keys.insert(name.to_owned(), Value::Object(value.0));
        }
        self
    }

    /// The same table with this key, which must be there.
    #[must_use]
    pub fn required(mut self, name: &str, value: Self) -> Self {
        let required = self.0.entry("required").or_insert_with(|| json!([]));
        if let Value::Array(names) = required {
            names.push(name.into());
        }
        self.key(name, value)
    }

    /// The same table with any further key.
    #[must_use]
    pub fn any_key(mut self, value: Self) -> Self {
        self.0
            .insert("additionalProperties".to_owned(), Value::Object(value.0));
        self
    }

    /// Every key of the file, in the form of [`Problems::keys`](super::Problems::keys).
    pub fn keys(&self) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        collect(&self.0, "", &mut keys);
        keys
    }

    /// The whole document. With `elsewhere` any plain value may be `{ env = "NAME" }` or `{ file = "path" }`.
    pub fn document(self, title: &str, elsewhere: bool) -> String {
        let mut map = self.0;
        if elsewhere {
            with_elsewhere(&mut map);
            let place = |name: &str| {
                json!({"type": "object", "required": [name], "additionalProperties": false,
                    "properties": {name: {"type": "string", "minLength": 1}}})
            };
            let places = json!({"elsewhere": {
                "description": "The value stands in an environment variable or in a file.",
                "anyOf": [place("env"), place("file")]}});
            map.insert("$defs".to_owned(), places);
        }
        map.insert("$schema".to_owned(), DRAFT.into());
        map.insert("title".to_owned(), title.into());
        format!("{:#}\n", ordered(Value::Object(map)))
    }
}

/// Puts the keys in the order of their names, however `serde_json` was built: another crate may switch on its `preserve_order`.
fn ordered(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let by_name: BTreeMap<_, _> = map.into_iter().collect();
            Value::Object(
                by_name
                    .into_iter()
                    .map(|(name, value)| (name, ordered(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(ordered).collect()),
        plain => plain,
    }
}

fn collect(schema: &Map<String, Value>, at: &str, keys: &mut BTreeSet<String>) {
    for form in forms(schema) {
        collect(form, at, keys);
    }
    if let Some(Value::Object(items)) = schema.get("items") {
        collect(items, &format!("{at}[]"), keys);
    }
    let mut below = |name: &str, value: &Value| {
        let key = if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}.{name}")
        };
        if let Value::Object(value) = value {
            collect(value, &key, keys);
        }
        keys.insert(key);
    };
    if let Some(Value::Object(properties)) = schema.get("properties") {
        properties.iter().for_each(|(name, value)| below(name, value));
    }
    if let Some(value @ Value::Object(_)) = schema.get("additionalProperties") {
        below("*", value);
    }
}

fn forms(schema: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let forms = schema.get("anyOf").and_then(Value::as_array);
    forms.into_iter().flatten().filter_map(Value::as_object)
}

/// Gives every plain value the other form.
fn with_elsewhere(schema: &mut Map<String, Value>) {
    let place = || json!({"$ref": "#/$defs/elsewhere"});
    for name in ["items", "additionalProperties"] {
        if let Some(Value::Object(below)) = schema.get_mut(name) {
            with_elsewhere(below);
        }
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for value in properties.values_mut().filter_map(Value::as_object_mut) {
            with_elsewhere(value);
        }
    }
    let is_plain = |schema: &Map<String, Value>| {
        let kind = schema.get("type").and_then(Value::as_str);
        schema.contains_key("enum") || kind.is_none_or(|kind| !matches!(kind, "object" | "array"))
    };
    if let Some(Value::Array(forms)) = schema.get_mut("anyOf") {
        forms
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .filter(|form| !is_plain(form))
            .for_each(with_elsewhere);
        if forms.iter().filter_map(Value::as_object).any(is_plain) {
            forms.push(place());
        }
    } else if is_plain(schema) {
        let about = schema.remove("description");
        let plain = Value::Object(std::mem::take(schema));
        schema.insert("anyOf".to_owned(), json!([plain, place()]));
        if let Some(about) = about {
            schema.insert("description".to_owned(), about);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_forms() {
        let item = Schema::table("").required("id", Schema::text("a name"));
        let schema = Schema::table("a file")
            .key("list", Schema::list("", item))
            .key("names", Schema::table("").any_key(Schema::number("", 1)))
            .key(
                "size",
                Schema::bytes("").or(Schema::table("").key("max", Schema::flag(""))),
            );
        let keys: Vec<_> = schema.keys().into_iter().collect();
        assert_eq!(
            keys,
            ["list", "list[].id", "names", "names.*", "size", "size.max"]
        );
        let text = schema.clone().document("t", true);
        assert_eq!(text.matches("#/$defs/elsewhere").count(), 4, "{text}");
        assert!(!schema.document("t", false).contains("elsewhere"));
    }
}
