//! `[[upstreams]]`: where requests go, which routes lead there, and the credential that goes along.

use std::collections::BTreeMap;

use copilot_guard::policy::reader::{At, Table, Value};

pub(crate) use super::credential::Credential;
use super::hosts::HostPattern;
use super::{Context, credential, forward};

/// A model endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) name: String,
    /// Its path is kept as a prefix.
    pub(crate) base_url: http::Uri,
    pub(crate) routes: Vec<RouteSet>,
    pub(crate) paths: Vec<OwnPath>,
    /// In forward mode, the hosts whose requests it answers.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) credential: Credential,
}

/// A built-in set of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RouteSet {
    Copilot,
    GhostText,
    Openai,
    Anthropic,
}

/// A path beside the built-in sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnPath {
    pub(crate) path: String,
    pub(crate) dialect: Dialect,
}

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dialect {
    Chat,
    Completions,
    GhostText,
    Responses,
    Messages,
    Embeddings,
    Mcp,
}

pub(super) const ROUTES: &[(&str, RouteSet)] = &[
    ("copilot", RouteSet::Copilot),
    ("ghost-text", RouteSet::GhostText),
    ("openai", RouteSet::Openai),
    ("anthropic", RouteSet::Anthropic),
];

pub(super) const DIALECTS: &[(&str, Dialect)] = &[
    ("chat", Dialect::Chat),
    ("completions", Dialect::Completions),
    ("ghost_text", Dialect::GhostText),
    ("responses", Dialect::Responses),
    ("messages", Dialect::Messages),
    ("embeddings", Dialect::Embeddings),
    ("mcp", Dialect::Mcp),
];

/// What already leads somewhere: a route set, a path or a name, and the line that took it.
type Taken = BTreeMap<String, usize>;

pub(super) fn read(context: &Context<'_>, value: Value<'_>, is_forward: bool) -> Vec<Upstream> {
    if value.is_empty_list() {
        let mend = "write `[[upstreams]]` with a name, a base_url and routes";
        context.add(
            &value.at,
            "there is no upstream",
            "no request could ever be forwarded",
            mend,
        );
    }
    let mut taken = Taken::new();
    value
        .tables()
        .into_iter()
        .filter_map(|t| upstream(context, t, &mut taken, is_forward))
        .collect()
}

fn upstream(
    context: &Context<'_>,
    mut table: Table<'_>,
    taken: &mut Taken,
    is_forward: bool,
) -> Option<Upstream> {
    let at = table.at().clone();
    let name = context.text(&mut table, "name", "give the upstream a name");
    let base_url = context
        .text(&mut table, "base_url", "write its address")
        .and_then(|text| context.url(&text, true));
    let routes = table.take("routes").map(|v| v.list().unwrap_or_default());
    let paths = table.take("paths").map(Value::tables);
    let hosts_at = table.at_key("hosts");
    let hosts = table.take("hosts").map(|v| forward::read_hosts(context, v));
    let leads_nowhere = routes.as_ref().is_none_or(Vec::is_empty) && paths.as_ref().is_none_or(Vec::is_empty);
    let credential = table.require(
        "credential",
        "write `credential = { kind = \"static\", value = { env = \"…\" } }`",
    );
    let credential = credential
        .and_then(Value::table)
        .and_then(|t| credential::read(context, t));
    let routes = routes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|v| v.one_of(ROUTES))
        .collect::<Vec<_>>();
    let paths = paths
        .unwrap_or_default()
        .into_iter()
        .filter_map(|t| own_path(context, t))
        .collect::<Vec<_>>();
    table.finish();
    if hosts.is_some() && !is_forward {
        let mend = "leave it out, or write `mode = \"forward\"`";
        context.warn(&hosts_at, "`hosts` is not used", "the mode is `reverse`", mend);
    }

    if leads_nowhere {
        let mend = "write `routes = [\"openai\"]`, or `paths`";
        context.add(
            &at,
            "nothing leads to this upstream",
            "it has neither `routes` nor `paths`",
            mend,
        );
    }
    if let Some(name) = &name {
        claim(context, taken, &name.at, format!("the name `{}`", name.value));
    }
    for route in &routes {
        claim(
            context,
            taken,
            &route.at,
            format!("the route set {:?}", route.value).to_lowercase(),
        );
    }
    for (at, path) in &paths {
        claim(context, taken, at, format!("the path `{}`", path.path));
    }
    let routes: Vec<_> = routes.into_iter().map(|r| r.value).collect();
    Some(Upstream {
        hosts: forward::hosts_of(hosts, &routes, base_url.as_ref()),
        name: name?.value,
        base_url: base_url?,
        routes,
        paths: paths.into_iter().map(|(_, path)| path).collect(),
        credential: credential?,
    })
}

fn claim(context: &Context<'_>, taken: &mut Taken, at: &At, what: String) {
    if let Some(line) = taken.get(&what) {
        let why = format!("line {line} has it, and a request can go to one upstream only");
        context.add(at, format!("{what} is taken"), why, "leave it to one of them");
    } else {
        taken.insert(what, at.line);
    }
}

fn own_path(context: &Context<'_>, mut table: Table<'_>) -> Option<(At, OwnPath)> {
    let path = context.text(
        &mut table,
        "path",
        "write the path, such as \"/v1/chat/completions\"",
    );
    let dialect = table
        .require(
            "dialect",
            "write one of chat, completions, ghost_text, responses, messages, embeddings, mcp",
        )
        .and_then(|v| v.one_of(DIALECTS));
    table.finish();
    let path = path?;
    let is_path = path.value.starts_with('/') && path.value.parse::<http::uri::PathAndQuery>().is_ok();
    if !is_path || path.value.contains(['?', '#', '*', '{']) {
        let why = "a path begins with `/`, and holds no query and no wildcard";
        context.add(
            &path.at,
            format!("{} is not a path", path.shown()),
            why,
            "write it out",
        );
        return None;
    }
    Some((
        path.at,
        OwnPath {
            path: path.value,
            dialect: dialect?.value,
        },
    ))
}
