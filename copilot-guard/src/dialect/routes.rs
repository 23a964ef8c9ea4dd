//! Which paths carry which dialect. What is not in the table does not exist.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::Method;

use super::Dialect;

/// A named set of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteSet {
    /// `POST /v1/chat/completions`.
    OpenAi,
    /// `POST /v1/messages`.
    Anthropic,
    /// Copilot's own paths: `POST /chat/completions` and `POST /v1/messages`.
    Copilot,
}

impl RouteSet {
    fn paths(self) -> &'static [(&'static str, Dialect)] {
        match self {
            Self::OpenAi => &[("/v1/chat/completions", Dialect::Chat)],
            Self::Anthropic => &[("/v1/messages", Dialect::Messages)],
            Self::Copilot => &[
                ("/chat/completions", Dialect::Chat),
                ("/v1/messages", Dialect::Messages),
            ],
        }
    }
}

/// The name is not one of the built-in route sets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown route set; known are copilot, openai, anthropic")]
pub struct UnknownRouteSet;

impl FromStr for RouteSet {
    type Err = UnknownRouteSet;

    fn from_str(name: &str) -> Result<Self, UnknownRouteSet> {
        match name {
            "openai" => Ok(Self::OpenAi),
            "anthropic" => Ok(Self::Anthropic),
            "copilot" => Ok(Self::Copilot),
            _ => Err(UnknownRouteSet),
        }
    }
}

/// One route: where it goes and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The configured upstream's name.
    pub upstream: String,
    /// The wire format.
    pub dialect: Dialect,
}

/// Every route there is.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    by_path: BTreeMap<String, Route>,
}

impl RouteTable {
    /// A table without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a built-in set for an upstream. Returns the path that another upstream has already, if any.
    pub fn add_set(&mut self, upstream: &str, set: RouteSet) -> Option<String> {
        let mut clash = None;
        for (path, dialect) in set.paths() {
            clash = clash.or(self.add_path(upstream, path, *dialect));
        }
        clash
    }

    /// Adds one path (`POST`). Returns the path when another upstream has it already.
    pub fn add_path(&mut self, upstream: &str, path: &str, dialect: Dialect) -> Option<String> {
        let route = Route {
            upstream: upstream.to_owned(),
            dialect,
        };
        match self.by_path.get(path) {
            Some(known) if *known != route => Some(path.to_owned()),
            _ => {
                self.by_path.insert(path.to_owned(), route);
                None
            }
        }
    }

    /// Whether there is no route at all.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// The route of a request, by exact path. Other methods, other spellings of the path, and `Upgrade` have none.
    pub fn find(&self, method: &Method, path: &str) -> Option<&Route> {
        (method == Method::POST).then(|| self.by_path.get(path)).flatten()
    }

    /// The dialect to refuse in when a path has no route: a guess from its shape, for the caller's comfort only.
    pub fn dialect_hint(path: &str) -> Dialect {
        if path.contains("/messages") {
            Dialect::Messages
        } else {
            Dialect::Chat
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_posts_are_routes() {
        let mut table = RouteTable::new();
        assert_eq!(table.add_set("a", RouteSet::OpenAi), None);
        assert!(table.find(&Method::POST, "/v1/chat/completions").is_some());
        for path in [
            "/v1/chat/completions/",
            "//v1/chat/completions",
            "/v1/Chat/completions",
            "/v1/chat%2fcompletions",
            "/",
        ] {
            assert!(table.find(&Method::POST, path).is_none(), "{path}");
        }
        assert!(table.find(&Method::GET, "/v1/chat/completions").is_none());
        assert_eq!(
            table.add_path("b", "/v1/chat/completions", Dialect::Chat),
            Some("/v1/chat/completions".into())
        );
    }
}
