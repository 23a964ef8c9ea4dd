//! `[store]`, `[approvals]`, `[audit]`, `[admin]`: what is kept, and who may see and decide.

use std::path::PathBuf;
use std::time::Duration;

use copilot_guard::policy::reader::{Located, Table, Value};

use super::Context;
use super::identity::{Issuer, values};

/// Where approvals and audit are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// In this SQLite file.
    Sqlite(PathBuf),
}

/// How approvals go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approvals {
    /// One person of any of these may approve where a rule names nobody.
    pub(crate) reviewer_groups: Vec<String>,
    /// How long a streaming request is held.
    pub(crate) hold_streaming: Duration,
    /// How long a plain request is held.
    pub(crate) hold_plain: Duration,
    /// How long an approval waits for votes.
    pub(crate) pending_ttl: Duration,
    /// How long, once used, covered requests may ride on an approval.
    pub(crate) ride_window: Duration,
    /// How many may.
    pub(crate) ride_uses: u32,
}

/// How the record is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) on_failure: OnFailure,
    /// Bytes that may be delivered before they are durable.
    pub(crate) max_undurable: u64,
    /// Who may read the record.
    pub(crate) auditor_groups: Vec<String>,
    /// A file that gets a copy of every event, as JSON lines.
    pub(crate) sink: Option<PathBuf>,
}

/// What happens when the record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The request is refused.
    Deny,
    /// It goes on.
    BestEffort,
}

/// Who may sign in to the admin plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admin {
    /// Never those of the data plane.
    pub(crate) audiences: Vec<String>,
    /// Who may take access back.
    pub(crate) operator_groups: Vec<String>,
    /// A vote, or a revocation, needs a login no older than this.
    pub(crate) login_max_age: Duration,
}

impl Default for Approvals {
    fn default() -> Self {
        let library = copilot_guard::guard::Settings::default();
        Self {
            reviewer_groups: Vec::new(),
            hold_streaming: library.hold_streaming,
            hold_plain: library.hold_plain,
            pending_ttl: library.pending_ttl,
            ride_window: library.ride_window,
            ride_uses: library.ride_uses,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::Deny,
            max_undurable: 0,
            auditor_groups: Vec::new(),
            sink: None,
        }
    }
}

pub(super) fn read_store(context: &Context<'_>, mut table: Table<'_>) -> Option<Store> {
    let url = context.text(&mut table, "url", "write `url = \"sqlite:guard.db\"`");
    table.finish();
    let url = url?;
    // The address may hold a password, so that no message quotes it.
    if let Some(path) = url.value.strip_prefix("sqlite:") {
        if !path.is_empty() && !path.starts_with(':') && !path.contains('?') {
            return Some(Store::Sqlite(
                context.folder.join(path.strip_prefix("//").unwrap_or(path)),
            ));
        }
        let why = "the record must be kept in a file";
        context.add(
            &url.at,
            "the address names no file",
            why,
            "write `url = \"sqlite:guard.db\"`",
        );
    } else if url.value.starts_with("postgres://") || url.value.starts_with("postgresql://") {
        let why = "only sqlite is";
        context.add(
            &url.at,
            "postgres is not built in this version",
            why,
            "write `url = \"sqlite:guard.db\"`",
        );
    } else {
        let why = "it begins with neither `sqlite:` nor `postgres://`";
        context.add(
            &url.at,
            "unknown kind of store",
            why,
            "write `url = \"sqlite:guard.db\"`",
        );
    }
    None
}

pub(super) fn read_approvals(context: &Context<'_>, mut table: Table<'_>) -> Option<Approvals> {
    let default = Approvals::default();
    let at = table.at_key("pending_ttl");
    let reviewers = groups(context, &mut table, "reviewer_groups");
    let hold_streaming = span(context, &mut table, "hold_streaming", default.hold_streaming);
    let hold_plain = span(context, &mut table, "hold_plain", default.hold_plain);
    let pending = span(context, &mut table, "pending_ttl", default.pending_ttl);
    // Zero is meant here: no request rides.
    let ride_window = table
        .take("ride_window")
        .and_then(Value::duration)
        .map_or(default.ride_window, |d| d.value);
    let ride_uses = table
        .take("ride_uses")
        .and_then(Value::number)
        .map_or(default.ride_uses.into(), |n| n.value);
    table.finish();
    if pending < hold_streaming.max(hold_plain) {
        let why = "a request would be held for an approval that has ended";
        context.add(
            &at,
            "`pending_ttl` is shorter than a hold",
            why,
            "make it the longest of the three",
        );
    }
    Some(Approvals {
        reviewer_groups: reviewers,
        hold_streaming,
        hold_plain,
        pending_ttl: pending,
        ride_window,
        ride_uses: u32::try_from(ride_uses).unwrap_or(u32::MAX),
    })
}

pub(super) fn read_audit(context: &Context<'_>, mut table: Table<'_>) -> Option<Audit> {
    let words = [("deny", OnFailure::Deny), ("best_effort", OnFailure::BestEffort)];
    let on_failure = table.take("on_failure").and_then(|v| v.one_of(&words));
    let max_undurable = table.take("max_undurable").and_then(Value::bytes);
    let auditor_groups = groups(context, &mut table, "auditor_groups");
    let sink = table
        .take("sink")
        .and_then(Value::string)
        .and_then(|s| context.path(s));
    table.finish();
    Some(Audit {
        on_failure: on_failure.map_or(OnFailure::Deny, |o| o.value),
        max_undurable: max_undurable.map_or(0, |m| m.value),
        auditor_groups,
        sink,
    })
}

pub(super) fn read_admin(context: &Context<'_>, mut table: Table<'_>, issuers: &[Issuer]) -> Option<Admin> {
    let audiences = context.names(
        &mut table,
        "audiences",
        "name an audience of its own, such as \"copilot-guard-admin\"",
    );
    let operators = groups(context, &mut table, "operator_groups");
    let login = span(
        context,
        &mut table,
        "login_max_age",
        Duration::from_secs(12 * 3600),
    );
    table.finish();
    let audiences = audiences?;
    let is_data_plane = |a: &&Located<String>| issuers.iter().any(|i| i.config.audiences.contains(&a.value));
    for audience in audiences.iter().filter(is_data_plane) {
        context.add(
            &audience.at,
            format!("{} is an audience of the data plane", audience.shown()),
            "a token on a developer's machine could vote",
            "register the admin plane as a client of its own, and name its audience",
        );
    }
    Some(Admin {
        audiences: values(audiences),
        operator_groups: operators,
        login_max_age: login,
    })
}

fn groups(context: &Context<'_>, table: &mut Table<'_>, name: &'static str) -> Vec<String> {
    let list = table
        .take(name)
        .and_then(Value::string_or_list)
        .unwrap_or_default();
    values(list.into_iter().filter(|g| context.filled(g)).collect())
}

/// A time span that is longer than nothing.
pub(super) fn span(
    context: &Context<'_>,
    table: &mut Table<'_>,
    name: &'static str,
    default: Duration,
) -> Duration {
    let Some(value) = table.take(name).and_then(Value::duration) else {
        return default;
    };
    if value.value.is_zero() {
        context.add(
            &value.at,
            "the time span is zero",
            "it would be over at once",
            "write one such as \"240s\"",
        );
    }
    value.value
}
