//! The list of models: without those a caller may not use, and without the transport that is not inspected.

use super::names::refuse_names;
use super::{Blocked, Inspector, Malformed, Plain, inspect_all};
use crate::json::{Document, Edits, Limits, Value};

/// What an endpoint begins with by which clients would open a web socket (`ws:/responses`). Upgrades are refused.
const WEB_SOCKET: &str = "ws:";

/// Rewrites a list of models, or one model. `keep` says whether the caller may use the model of an id.
///
/// # Errors
/// The body is neither.
pub(crate) fn plain(
    body: &[u8],
    keep: &dyn Fn(&str) -> bool,
    inspector: &mut dyn Inspector,
) -> Result<Plain, Malformed> {
    let doc = Document::parse(body, Limits::default())?;
    let root = doc.root();
    refuse_names(root, inspector)?;
    let mut edits = Edits::default();
    // OpenAI and Copilot say `data`; some servers say `models`.
    let lists = ["data", "models"].map(|name| root.get(name).filter(|v| v.is_array()));
    let mut models = lists.into_iter().flatten().flat_map(Value::items).peekable();
    let looked_at = if models.peek().is_none() && root.get_str("id").is_some() {
        model(root, keep, inspector, &mut edits).map(|_| ())
    } else if lists.iter().all(Option::is_none) {
        return Err(Malformed::new("this is no list of models"));
    } else {
        list(root, keep, inspector, &mut edits)
    };
    Ok(match looked_at {
        Ok(()) => Plain::Done(doc.to_text(&edits)),
        Err(blocked) => Plain::Blocked(blocked.notice),
    })
}

fn list(
    root: Value<'_>,
    keep: &dyn Fn(&str) -> bool,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    for (name, member) in root.entries() {
        if !matches!(&*name, "data" | "models") || !member.is_array() {
            inspect_all(member, &name, inspector, edits)?;
            continue;
        }
        for entry in member.items() {
            if !model(entry, keep, inspector, edits)? {
                edits.remove(entry);
            }
        }
    }
    Ok(())
}

/// `false`: the caller may not use it, or nobody can say which it is.
fn model(
    entry: Value<'_>,
    keep: &dyn Fn(&str) -> bool,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<bool, Blocked> {
    let id = entry.get_str("id").or_else(|| entry.get_str("slug"));
    if !id.is_some_and(|id| keep(&id)) {
        return Ok(false);
    }
    inspect_all(entry, "models", inspector, edits)?;
    for endpoint in entry
        .get("supported_endpoints")
        .into_iter()
        .flat_map(Value::items)
    {
        if endpoint.as_str().is_some_and(|text| text.starts_with(WEB_SOCKET)) {
            edits.remove(endpoint);
        }
    }
    Ok(true)
}
