//! Claims, their values, and the groups they name.

use std::collections::BTreeMap;

use copilot_guard::policy::reader::{Scalar, Table, Value};
use copilot_guard::token::{Expected, GroupSource, Shape, SyntheticGroup};

use super::super::Context;

pub(in crate::config) const SHAPES: &[(&str, Shape)] = &[
    ("list", Shape::List),
    ("string", Shape::String),
    ("space_separated", Shape::SpaceSeparated),
    ("comma_separated", Shape::CommaSeparated),
];

/// Claims and the values that they must have.
pub(super) fn conditions(mut table: Table<'_>) -> BTreeMap<String, Expected> {
    let value = |value: Scalar| match value {
        Scalar::Text(text) => Some(text.into()),
        Scalar::Integer(number) => Some(number.into()),
        Scalar::Flag(flag) => Some(flag.into()),
        _ => None,
    };
    table
        .take_all()
        .into_iter()
        .filter_map(|(name, found)| Some((name, value(found.scalar()?.value)?)))
        .collect()
}

/// Claims that name groups.
pub(super) fn sources(context: &Context<'_>, value: Value<'_>) -> Vec<GroupSource> {
    value
        .tables()
        .into_iter()
        .filter_map(|table| source(context, table, None))
        .collect()
}

/// One of them; `default` where the claim need not be named.
pub(super) fn source(
    context: &Context<'_>,
    mut table: Table<'_>,
    default: Option<GroupSource>,
) -> Option<GroupSource> {
    let claim = match (&default, table.peek("claim")) {
        (Some(source), None) => Some(source.claim.clone()),
        _ => context
            .text(&mut table, "claim", "name the claim that holds the groups")
            .map(|claim| claim.value),
    };
    let shape = table.take("shape").and_then(|v| v.one_of(SHAPES));
    let mut text = |name| {
        let text: Option<_> = table.take(name).and_then(Value::string);
        text.map(|text| text.value).unwrap_or_default()
    };
    let (prefix, strip, require) = (text("prefix"), text("strip_prefix"), text("require_prefix"));
    let renamed = table.take("rename").and_then(Value::table);
    table.finish();
    let mut source = GroupSource::new(claim?)
        .with_prefix(prefix)
        .with_strip_prefix(strip)
        .with_require_prefix(require)
        .with_shape(shape.map(|shape| shape.value).unwrap_or_default());
    for (from, to) in renamed.map(|mut names| names.take_all()).unwrap_or_default() {
        if let Some(to) = to.string().filter(|to| context.filled(to)) {
            source.rename.insert(from, to.value);
        }
    }
    Some(source)
}

/// Groups given by claims that name none.
pub(super) fn synthetic(context: &Context<'_>, value: Value<'_>) -> Vec<SyntheticGroup> {
    let group = |mut table: Table<'_>| {
        let group = context.text(&mut table, "group", "name the group that such callers are in");
        let when = table.require(
            "when",
            "name the claims and values, such as { ref = \"refs/heads/main\" }",
        );
        let when = when.and_then(Value::table).map(conditions);
        table.finish();
        Some(SyntheticGroup::new(group?.value, when?))
    };
    value.tables().into_iter().filter_map(group).collect()
}
