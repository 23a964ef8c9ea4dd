//! The parts of a policy file that say what is masked, and how: `packs`, `[marks]`, `[[fields]]`, `[[values]]`,
//! `[[allow]]`. Knows their shape, not their meaning.

use super::config::{Listed, listed, tables};
use super::problem::nearest;
use super::reader::{At, Elsewhere, Located, Problems, Table, Value};
use crate::detect::Pack;

/// What a file says of masking.
#[derive(Debug, Default)]
pub(super) struct MaskingConfig {
    pub(super) packs: Vec<Pack>,
    pub(super) marks: Option<MarksConfig>,
    pub(super) fields: Vec<FieldConfig>,
    pub(super) values: Vec<ValuesConfig>,
    pub(super) allow: Vec<AllowConfig>,
}

/// `[marks]`.
#[derive(Debug)]
pub(super) struct MarksConfig {
    pub(super) at: At,
    pub(super) format: Option<Located<String>>,
    pub(super) tagged: Option<Located<String>>,
}

/// One of `[[fields]]`.
#[derive(Debug)]
pub(super) struct FieldConfig {
    pub(super) id: Located<String>,
    pub(super) names: Listed,
    pub(super) min: Option<Located<u64>>,
    pub(super) max: Option<Located<u64>>,
}

/// One of `[[values]]`.
#[derive(Debug)]
pub(super) struct ValuesConfig {
    pub(super) id: Located<String>,
    pub(super) from: Located<Elsewhere>,
}

/// One of `[[allow]]`.
#[derive(Debug)]
pub(super) struct AllowConfig {
    pub(super) kinds: Option<Listed>,
    pub(super) groups: Option<Listed>,
    pub(super) values: Option<Listed>,
    pub(super) regex: Option<Listed>,
    pub(super) words: Option<Listed>,
    pub(super) expires: Option<Located<String>>,
}

/// Takes these parts out of the file.
pub(super) fn read(problems: &Problems, file: &mut Table<'_>) -> MaskingConfig {
    MaskingConfig {
        packs: packs(problems, file),
        marks: file.take("marks").and_then(Value::table).map(marks),
        fields: tables(file, "fields")
            .into_iter()
            .filter_map(|t| field(problems, t))
            .collect(),
        values: tables(file, "values")
            .into_iter()
            .filter_map(|t| values(problems, t))
            .collect(),
        allow: tables(file, "allow")
            .into_iter()
            .filter_map(|t| allow(problems, t))
            .collect(),
    }
}

fn packs(problems: &Problems, file: &mut Table<'_>) -> Vec<Pack> {
    let names = file.take("packs").and_then(Value::strings).unwrap_or_default();
    let mut packs = Vec::new();
    for name in names {
        if let Some(pack) = Pack::ALL.iter().find(|pack| pack.name() == name.value) {
            packs.push(*pack);
            continue;
        }
        let known = || Pack::ALL.iter().map(|pack| pack.name());
        let mend = match nearest(&name.value, known()) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("use one of {}", known().collect::<Vec<_>>().join(", ")),
        };
        let what = format!("unknown pack {}", name.shown());
        problems.add(&name.at, what, "there is no pack of this name", mend);
    }
    packs
}

fn marks(mut table: Table<'_>) -> MarksConfig {
    let at = table.at().clone();
    let format = table.take("format").and_then(Value::string);
    let tagged = table.take("tagged").and_then(Value::string);
    table.finish();
    MarksConfig { at, format, tagged }
}

fn field(problems: &Problems, mut table: Table<'_>) -> Option<FieldConfig> {
    let id = table
        .require("id", "give the field a name of its own")
        .and_then(Value::string);
    let names = table
        .require(
            "names",
            "write how the field is called, such as [\"customer_no\"]",
        )
        .and_then(|v| listed(problems, v));
    let min = table.take("min").and_then(Value::number);
    let max = table.take("max").and_then(Value::number);
    table.finish();
    Some(FieldConfig {
        id: id?,
        names: names?,
        min,
        max,
    })
}

fn values(problems: &Problems, mut table: Table<'_>) -> Option<ValuesConfig> {
    let at = table.at().clone();
    let id = table
        .require("id", "give the values a name of their own")
        .and_then(Value::string);
    let is_written_out = table.peek("value").is_some();
    let file = table.take("file");
    let value = table.take("value");
    let mend = "write `file = \"values.txt\"`, or `value = { env = \"NAME\" }`";
    let from = match (file, value) {
        (Some(file), None) => file.string().map(|path| Located {
            value: Elsewhere::File(path.value),
            at: path.at,
            from: None,
        }),
        (None, Some(value)) if is_written_out => {
            let why = "a policy is read by many, and its record keeps it";
            problems.add(&value.at, "the value stands in the policy itself", why, mend);
            None
        }
        (None, Some(value)) => {
            let at = value.at.clone();
            let variable = value.table().and_then(|mut table| {
                let name = table
                    .require("env", "write `value = { env = \"NAME\" }`")
                    .and_then(Value::string);
                table.finish();
                name
            });
            variable.map(|name| Located {
                value: Elsewhere::Env(name.value),
                at,
                from: None,
            })
        }
        (Some(_), Some(second)) => {
            let what = "two places for the values";
            problems.add(&second.at, what, "one of them would not count", mend);
            None
        }
        (None, None) => {
            if !problems.has_below(&at) {
                problems.add(&at, "the values stand nowhere", "nothing could be masked", mend);
            }
            None
        }
    };
    table.finish();
    Some(ValuesConfig { id: id?, from: from? })
}

fn allow(problems: &Problems, mut table: Table<'_>) -> Option<AllowConfig> {
    let at = table.at().clone();
    let mut list = |key| table.take(key).and_then(|v| listed(problems, v));
    let kinds = list("kinds");
    let groups = list("groups");
    let values = list("values");
    let regex = list("regex");
    let words = list("words");
    let reason = table
        .require("reason", "say why, for the auditors")
        .and_then(Value::string);
    let expires = table.take("expires").and_then(Value::string_or_date);
    table.report_blank(reason.as_ref());
    table.finish();
    if values.is_none() && regex.is_none() && words.is_none() && !problems.has_below(&at) {
        problems.add(
            &at,
            "the entry allows nothing",
            "it names neither `values` nor `regex` nor `words`",
            "write out what may be shown; to lift whole kinds, use `[[exceptions]]`",
        );
    }
    reason?;
    Some(AllowConfig {
        kinds,
        groups,
        values,
        regex,
        words,
        expires,
    })
}
