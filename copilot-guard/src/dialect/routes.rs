//! Which paths carry what. What is not in the table does not exist.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::Method;

use super::Dialect;

/// What a route carries, and so what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Traffic {
    /// A conversation with a model, or text for one: judged, masked, recorded.
    Model(Dialect),
    /// Calls of tools and their results, judged in the same way.
    Tools,
    /// The list of models, or one of it: without what the caller may not use.
    Models,
    /// A caller's token for a short-lived one of the gateway: answered here.
    TokenExchange(TokenExchange),
    /// A caller's token for a device grant: answered here.
    DeviceGrant,
    /// Where the login command signs in: the same for everybody, answered here.
    LoginHint,
    /// What clients report of themselves: taken without asking who, kept nowhere, sent nowhere.
    Telemetry,
    /// Questions that clients ask before they work, with the same answer for everybody: answered here.
    Static(StaticReply),
}

/// The form in which a gateway token is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenExchange {
    /// `GET /copilot_internal/v2/token`: the reply of GitHub to editors, with the gateway as endpoint.
    Copilot,
    /// `GET /copilot_internal/user`: who the caller is and where the endpoints are. Holds no token.
    User,
    /// `POST /copilot-guard/token`: the token alone (RFC 6749, section 5.1).
    Plain,
}

/// A reply that is the same for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StaticReply {
    /// Experiments: none run.
    Experiments,
    /// Content exclusion: no rule of GitHub's.
    ContentExclusion,
    /// An empty list of agents.
    Agents,
    /// An empty list of embedding models on GitHub's side.
    EmbeddingModels,
    /// The memory of agents on GitHub's side: off.
    AgentMemory,
    /// An empty list of MCP servers.
    McpRegistry,
    /// Nothing is managed, no team has its own: an empty object.
    Nothing,
    /// The gateway is there.
    Ping,
}

impl Traffic {
    /// The dialect in which it is refused, and judged where it is.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Model(dialect) => dialect,
            Self::Tools => Dialect::Mcp,
            _ => Dialect::Chat,
        }
    }

    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model(dialect) => dialect.as_str(),
            Self::Tools => "mcp",
            Self::Models => "models",
            Self::TokenExchange(_) => "token_exchange",
            Self::DeviceGrant => "device_grant",
            Self::LoginHint => "login_hint",
            Self::Telemetry => "telemetry",
            Self::Static(_) => "static",
        }
    }
}

/// A named set of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteSet {
    /// OpenAI's: `/v1/chat/completions`, `/v1/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/models`.
    OpenAi,
    /// Anthropic's: `/v1/messages`.
    Anthropic,
    /// Those of Copilot's hosts: chat, Responses, embeddings and models without `/v1`, `/v1/messages`, ghost text, tools,
    /// and what clients ask GitHub.
    Copilot,
    /// Ghost text alone, `/v1/engines/{model}/completions`: hosted Copilot serves it under another host than the rest.
    /// Add it before [`Copilot`](Self::Copilot), which then leaves it out.
    GhostText,
}

/// One line of a set: method, path (`{model}` stands for one segment), what it carries.
type Line = (Method, &'static str, Traffic);

const OPENAI: &[Line] = &[
    (
        Method::POST,
        "/v1/chat/completions",
        Traffic::Model(Dialect::Chat),
    ),
    (
        Method::POST,
        "/v1/completions",
        Traffic::Model(Dialect::Completions),
    ),
    (Method::POST, "/v1/responses", Traffic::Model(Dialect::Responses)),
    (
        Method::POST,
        "/v1/embeddings",
        Traffic::Model(Dialect::Embeddings),
    ),
    (Method::GET, "/v1/models", Traffic::Models),
    (Method::GET, "/v1/models/{model}", Traffic::Models),
];

const ANTHROPIC: &[Line] = &[(Method::POST, "/v1/messages", Traffic::Model(Dialect::Messages))];

const GHOST_TEXT: &[Line] = &[(
    Method::POST,
    "/v1/engines/{model}/completions",
    Traffic::Model(Dialect::GhostText),
)];

const COPILOT: &[Line] = &[
    (Method::POST, "/chat/completions", Traffic::Model(Dialect::Chat)),
    (Method::POST, "/responses", Traffic::Model(Dialect::Responses)),
    (Method::POST, "/v1/messages", Traffic::Model(Dialect::Messages)),
    (Method::POST, "/embeddings", Traffic::Model(Dialect::Embeddings)),
    (
        Method::POST,
        "/v1/engines/{model}/completions",
        Traffic::Model(Dialect::GhostText),
    ),
    (Method::GET, "/models", Traffic::Models),
    (Method::GET, "/models/{model}", Traffic::Models),
    (Method::POST, "/mcp", Traffic::Tools),
    (Method::POST, "/mcp/readonly", Traffic::Tools),
    (
        Method::GET,
        "/copilot_internal/v2/token",
        Traffic::TokenExchange(TokenExchange::Copilot),
    ),
    (
        Method::GET,
        "/copilot_internal/user",
        Traffic::TokenExchange(TokenExchange::User),
    ),
    (Method::POST, "/telemetry", Traffic::Telemetry),
    (
        Method::GET,
        "/telemetry",
        Traffic::Static(StaticReply::Experiments),
    ),
    (
        Method::GET,
        "/tas/api/v1/tas",
        Traffic::Static(StaticReply::Experiments),
    ),
    (
        Method::GET,
        "/vscode/ab",
        Traffic::Static(StaticReply::Experiments),
    ),
    (
        Method::GET,
        "/copilot_internal/content_exclusion",
        Traffic::Static(StaticReply::ContentExclusion),
    ),
    (
        Method::GET,
        "/copilot_internal/managed_settings",
        Traffic::Static(StaticReply::Nothing),
    ),
    (
        Method::GET,
        "/copilot_internal/team_customizations",
        Traffic::Static(StaticReply::Nothing),
    ),
    (
        Method::GET,
        "/copilot/mcp_registry",
        Traffic::Static(StaticReply::McpRegistry),
    ),
    (
        Method::GET,
        "/embeddings/models",
        Traffic::Static(StaticReply::EmbeddingModels),
    ),
    (Method::GET, "/agents", Traffic::Static(StaticReply::Agents)),
    (
        Method::GET,
        "/agents/swe/internal/memory/v0/enabled",
        Traffic::Static(StaticReply::AgentMemory),
    ),
    (Method::GET, "/_ping", Traffic::Static(StaticReply::Ping)),
];

/// The gateway's own, of every table that is not empty.
const OWN: &[Line] = &[
    (
        Method::POST,
        "/copilot-guard/token",
        Traffic::TokenExchange(TokenExchange::Plain),
    ),
    (Method::POST, "/copilot-guard/device-grants", Traffic::DeviceGrant),
    (Method::GET, "/copilot-guard/login", Traffic::LoginHint),
];

impl RouteSet {
    fn lines(self) -> &'static [Line] {
        match self {
            Self::OpenAi => OPENAI,
            Self::Anthropic => ANTHROPIC,
            Self::Copilot => COPILOT,
            Self::GhostText => GHOST_TEXT,
        }
    }
}

/// The name is not one of the built-in route sets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown route set; known are copilot, ghost-text, openai, anthropic")]
pub struct UnknownRouteSet;

impl FromStr for RouteSet {
    type Err = UnknownRouteSet;

    fn from_str(name: &str) -> Result<Self, UnknownRouteSet> {
        match name {
            "openai" => Ok(Self::OpenAi),
            "anthropic" => Ok(Self::Anthropic),
            "copilot" => Ok(Self::Copilot),
            "ghost-text" => Ok(Self::GhostText),
            _ => Err(UnknownRouteSet),
        }
    }
}

/// One route: where it goes and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The configured upstream's name.
    pub upstream: String,
    /// What it carries.
    pub traffic: Traffic,
    /// The wire format of judgement and refusals.
    pub dialect: Dialect,
    /// The model that the request's path names, where it does.
    pub model: Option<String>,
}

/// The routes of one path.
type Lines = Vec<(Method, Route)>;

/// Every route there is.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    /// By path, then method. A path may hold `{model}`.
    by_path: BTreeMap<String, Lines>,
    /// By upstream, for a gateway that clients reach under its upstreams' own names.
    hosts: BTreeMap<String, Vec<String>>,
}

impl RouteTable {
    /// A table without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the hosts of an upstream, for clients that reach the gateway as a forward proxy: each a name, or `*.` and
    /// the rest of one (one label in its place). Call it before the upstream's routes are added: one path may then
    /// lead to several upstreams, by host.
    pub fn add_hosts<S: Into<String>>(&mut self, upstream: &str, hosts: impl IntoIterator<Item = S>) {
        let known = self.hosts.entry(upstream.to_owned()).or_default();
        known.extend(hosts.into_iter().map(|host| host.into().to_ascii_lowercase()));
    }

    /// Adds a built-in set for an upstream. Returns the path that another upstream has already, if any.
    pub fn add_set(&mut self, upstream: &str, set: RouteSet) -> Option<String> {
        let mut clash = None;
        for (method, path, traffic) in set.lines() {
            let is_left_out = set == RouteSet::Copilot && self.has_ghost_text_apart(path, upstream);
            if is_left_out {
                continue;
            }
            clash = clash.or(self.add(upstream, method, path, *traffic));
        }
        clash
    }

    /// Whether another upstream serves this path, which is that of ghost text.
    fn has_ghost_text_apart(&self, path: &str, upstream: &str) -> bool {
        let is_apart = |(_, route): &(Method, Route)| {
            route.traffic == Traffic::Model(Dialect::GhostText) && route.upstream != upstream
        };
        self.by_path
            .get(path)
            .is_some_and(|lines| lines.iter().any(is_apart))
    }

    /// Adds one path (`POST`). Returns the path when another upstream has it already.
    pub fn add_path(&mut self, upstream: &str, path: &str, dialect: Dialect) -> Option<String> {
        self.add(upstream, &Method::POST, path, Traffic::Model(dialect))
    }

    fn add(&mut self, upstream: &str, method: &Method, path: &str, traffic: Traffic) -> Option<String> {
        let route = Route {
            upstream: upstream.to_owned(),
            traffic,
            dialect: traffic.dialect(),
            model: None,
        };
        let known = self.by_path.entry(path.to_owned()).or_default();
        let own_host = self.hosts.contains_key(upstream);
        let clash = known
            .iter()
            .any(|(m, r)| m == method && *r != route && !(own_host && r.upstream != upstream));
        if clash {
            return Some(path.to_owned());
        }
        if !known.iter().any(|(m, r)| m == method && *r == route) {
            known.push((method.clone(), route));
        }
        None
    }

    /// Whether there is no route at all.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// Whether requests to this host are for one of the upstreams.
    pub fn has_host(&self, host: &str) -> bool {
        self.hosts
            .values()
            .flatten()
            .any(|pattern| is_host(pattern, host))
    }

    /// The route of a request, by exact path but for a segment that names the model. Other methods and other spellings
    /// of the path have none. `host` is the one that a forward proxy's client asked for.
    pub fn find(&self, method: &Method, host: Option<&str>, path: &str) -> Option<Route> {
        let own = || OWN.iter().find(|(m, p, _)| m == method && *p == path);
        // Within a tunnel these paths are the far server's.
        if let Some((_, _, traffic)) = own().filter(|_| !self.is_empty() && host.is_none()) {
            return Some(Route {
                upstream: String::new(),
                traffic: *traffic,
                dialect: traffic.dialect(),
                model: None,
            });
        }
        // A path that is written like a pattern is not the pattern.
        let (lines, model) = match self.by_path.get(path).filter(|_| !path.contains('{')) {
            Some(lines) => (lines, None),
            None => self.with_model(path)?,
        };
        let leads_there = |route: &Route| match host {
            None => true,
            Some(host) => {
                let hosts = self.hosts.get(&route.upstream);
                hosts.is_some_and(|hosts| hosts.iter().any(|pattern| is_host(pattern, host)))
            }
        };
        let found = lines.iter().find(|(m, route)| m == method && leads_there(route));
        found.map(|(_, route)| Route {
            model,
            ..route.clone()
        })
    }

    /// The lines of a path with `{model}`, and the segment in its place.
    fn with_model(&self, path: &str) -> Option<(&Lines, Option<String>)> {
        let patterns = self.by_path.iter().filter_map(|(pattern, lines)| {
            let (before, after) = pattern.split_once("{model}")?;
            let model = path.strip_prefix(before)?.strip_suffix(after)?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:@".contains(&b);
            let is_segment = !model.is_empty() && model.len() <= 128 && model.bytes().all(plain);
            (is_segment && model != "." && model != "..").then(|| (lines, Some(model.to_owned())))
        });
        patterns.into_iter().next()
    }

    /// The dialect to refuse in when a path has no route: a guess from its shape, for the caller's comfort only.
    pub fn dialect_hint(path: &str) -> Dialect {
        if path.contains("/messages") {
            Dialect::Messages
        } else if path.ends_with("/responses") {
            Dialect::Responses
        } else {
            Dialect::Chat
        }
    }
}

/// Whether `host` is meant by `pattern`: a name, or `*.` and what a name ends with.
fn is_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(host),
        Some(rest) => {
            let start = host.len().checked_sub(rest.len());
            let end = start.and_then(|start| host.get(start..));
            let before = start.and_then(|start| host.get(..start)).unwrap_or_default();
            let is_label = |label: &str| !label.is_empty() && !label.contains('.');
            end.is_some_and(|end| end.eq_ignore_ascii_case(rest))
                && before.strip_suffix('.').is_some_and(is_label)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_requests_are_routes() {
        let mut table = RouteTable::new();
        assert!(table.find(&Method::POST, None, "/copilot-guard/token").is_none());
        assert_eq!(table.add_set("a", RouteSet::OpenAi), None);
        assert!(table.find(&Method::POST, None, "/v1/chat/completions").is_some());
        for path in [
            "/v1/chat/completions/",
            "//v1/chat/completions",
            "/v1/Chat/completions",
            "/v1/chat%2fcompletions",
            "/v1/models/",
            "/v1/models/a/b",
            "/v1/models/%2e%2e",
            "/v1/models/..",
            "/v1/models/{model}",
            "/",
        ] {
            for method in [Method::POST, Method::GET] {
                assert!(table.find(&method, None, path).is_none(), "{path}");
            }
        }
        assert!(table.find(&Method::GET, None, "/v1/chat/completions").is_none());
        assert!(table.find(&Method::POST, None, "/copilot-guard/token").is_some());
        assert!(table.find(&Method::GET, None, "/copilot-guard/token").is_none());
        assert_eq!(
            table.add_path("b", "/v1/chat/completions", Dialect::Chat),
            Some("/v1/chat/completions".into())
        );
    }

    #[test]
    fn a_path_may_name_the_model() {
        let mut table = RouteTable::new();
        assert_eq!(table.add_set("a", RouteSet::Copilot), None);
        let route = table
            .find(&Method::POST, None, "/v1/engines/gpt-41-copilot/completions")
            .unwrap();
        assert_eq!(route.model.as_deref(), Some("gpt-41-copilot"));
        assert_eq!(route.traffic, Traffic::Model(Dialect::GhostText));
    }

    #[test]
    fn ghost_text_may_be_served_apart() {
        let mut table = RouteTable::new();
        assert_eq!(table.add_set("proxy", RouteSet::GhostText), None);
        assert_eq!(table.add_set("api", RouteSet::Copilot), None);
        let upstream = |path| table.find(&Method::POST, None, path).unwrap().upstream;
        assert_eq!(upstream("/v1/engines/m/completions"), "proxy");
        assert_eq!(upstream("/chat/completions"), "api");
    }

    #[test]
    fn a_host_leads_to_its_own_upstream() {
        let mut table = RouteTable::new();
        table.add_hosts(
            "copilot",
            ["api.githubcopilot.com", "*.business.githubcopilot.com"],
        );
        table.add_hosts("claude", ["api.anthropic.com"]);
        assert_eq!(table.add_set("copilot", RouteSet::Copilot), None);
        assert_eq!(table.add_set("claude", RouteSet::Anthropic), None);
        let upstream = |host| {
            let route = table.find(&Method::POST, Some(host), "/v1/messages");
            route.map(|r| r.upstream)
        };
        assert_eq!(upstream("API.githubcopilot.com").as_deref(), Some("copilot"));
        assert_eq!(
            upstream("api.business.githubcopilot.com").as_deref(),
            Some("copilot")
        );
        assert_eq!(upstream("api.anthropic.com").as_deref(), Some("claude"));
        for host in [
            "githubcopilot.com",
            "business.githubcopilot.com",
            ".business.githubcopilot.com",
            "a.b.business.githubcopilot.com",
            "evilgithubcopilot.com",
            "api.githubcopilot.com.evil",
            "",
        ] {
            assert_eq!(upstream(host), None, "{host}");
            assert!(!table.has_host(host), "{host}");
        }
    }
}
