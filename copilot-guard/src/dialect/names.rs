//! Names of members: text may hide in them as well, and a name cannot be masked without changing the form.

use std::collections::BTreeSet;

use super::request::is_plain_word;
use super::{Blocked, Inspector, Malformed};
use crate::json::{Edits, Value};

/// Looks at the names of all members below `value` for which `is_odd` holds. A member whose name would have to be
/// masked is left out. Call it last: an edit of the same member behind it would bring the member back.
pub(super) fn inspect_names(
    value: Value<'_>,
    is_odd: fn(&str) -> bool,
    inspector: &mut dyn Inspector,
    edits: &mut Edits,
) -> Result<(), Blocked> {
    let mut names = BTreeSet::new();
    collect(value, is_odd, &mut names);
    let mut bad = BTreeSet::new();
    for name in names {
        if inspector.whole("names of members", &name)?.is_some() {
            bad.insert(name);
        }
    }
    if !bad.is_empty() {
        remove(value, &bad, edits);
    }
    Ok(())
}

fn collect(value: Value<'_>, is_odd: fn(&str) -> bool, names: &mut BTreeSet<String>) {
    for item in value.items() {
        collect(item, is_odd, names);
    }
    for (name, member) in value.entries() {
        collect(member, is_odd, names);
        if is_odd(&name) {
            names.insert(name.into_owned());
        }
    }
}

fn remove(value: Value<'_>, bad: &BTreeSet<String>, edits: &mut Edits) {
    for item in value.items() {
        remove(item, bad, edits);
    }
    for (name, member) in value.entries() {
        if bad.contains(&*name) {
            edits.remove(member);
        } else {
            remove(member, bad, edits);
        }
    }
}

/// The same where no member can be left out: in an answer that cannot do without it.
///
/// # Errors
/// A name holds what must be masked.
pub(super) fn refuse_names(value: Value<'_>, inspector: &mut dyn Inspector) -> Result<(), Malformed> {
    let mut edits = Edits::default();
    match inspect_names(value, |name| !is_plain_word(name), inspector, &mut edits) {
        Ok(()) if edits.is_empty() => Ok(()),
        _ => Err(Malformed::new(
            "the name of a member holds what must not be shown",
        )),
    }
}
