//! `[policy]`: the policy file, and the versions of it that may be put in force.

use std::path::PathBuf;

use copilot_guard::policy::reader::{Located, Table, Value};

use super::Context;

/// What `[policy]` says.
#[derive(Debug, Clone)]
pub(crate) struct PolicyFile {
    /// The file.
    pub(crate) file: PathBuf,
    /// SHA-256 of the versions that were signed off, in lower-case hex. Nothing: every version may be used.
    pub(crate) approved: Option<Vec<String>>,
}

pub(super) fn read(context: &Context<'_>, mut table: Table<'_>) -> Option<PolicyFile> {
    let file = table.require("file", "name the file").and_then(Value::string);
    let approved = table.take("approved").and_then(|value| {
        let at = value.at.clone();
        if value.is_empty_list() {
            let mend = "write the versions that `policy check` prints, or leave the key out";
            context.add(&at, "the list is empty", "no policy could ever be used", mend);
        }
        value.string_or_list()
    });
    table.finish();
    let approved =
        approved.map(|versions| versions.into_iter().filter_map(|v| version(context, v)).collect());
    Some(PolicyFile {
        file: file.and_then(|f| context.path(f))?,
        approved,
    })
}

fn version(context: &Context<'_>, text: Located<String>) -> Option<String> {
    let version = text.value.trim().to_ascii_lowercase();
    let is_hash = version.len() == 64 && version.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hash {
        context.add(
            &text.at,
            format!("{} is no version of a policy", text.shown()),
            "a version is the SHA-256 of the file, 64 hex digits",
            "copy it from `policy check`",
        );
    }
    is_hash.then_some(version)
}
