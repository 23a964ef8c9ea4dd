//! Hosts that pass on what they get, or show it to anybody: to allow one is to allow everybody behind it.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::host::Host;

/// What a relay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RelayKind {
    /// Fetches another address that stands in its own.
    Proxy,
    /// Sends the client on to another address.
    Redirect,
    /// Keeps what is uploaded, for anybody.
    Paste,
    /// Hands what it gets to whoever made the address.
    Hook,
    /// Leads to a machine of whoever opened it.
    Tunnel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    relay: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: RelayKind,
    /// Names, or `*.name` for what is below.
    hosts: Vec<String>,
    /// Where on the host: a path and what is below it. All of it if missing.
    #[serde(default)]
    paths: Vec<String>,
}

struct Place {
    kind: RelayKind,
    is_below: bool,
    path: String,
}

/// By name. Nothing when the table is broken, which a test would notice; then every host counts as a relay.
static PLACES: LazyLock<Option<HashMap<String, Vec<Place>>>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("relays.toml")).ok()?;
    let mut places: HashMap<String, Vec<Place>> = HashMap::new();
    for row in table.relay {
        let whole = [String::new()];
        let paths = if row.paths.is_empty() {
            whole.as_slice()
        } else {
            &row.paths
        };
        for host in &row.hosts {
            let (name, is_below) = host
                .strip_prefix("*.")
                .map_or((host.as_str(), false), |n| (n, true));
            for path in paths {
                let path = path.to_ascii_lowercase();
                let place = Place {
                    kind: row.kind,
                    is_below,
                    path,
                };
                places.entry(name.to_owned()).or_default().push(place);
            }
        }
    }
    Some(places)
});

/// Whether this host, at this path, only passes on what it gets or shows it to anybody: a paste site, a web hook, a
/// tunnel, a proxy, a redirector. What is no proper host is one.
pub fn is_relay(host: &str, path: &str) -> bool {
    Host::parse(host).is_none_or(|host| find(&host, path).is_some())
}

/// What kind of relay this is, if it is one.
pub fn relay(host: &str, path: &str) -> Option<RelayKind> {
    find(&Host::parse(host)?, path)
}

pub(super) fn find(host: &Host, path: &str) -> Option<RelayKind> {
    let Some(places) = PLACES.as_ref() else {
        return Some(RelayKind::Redirect);
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = plain(&super::remote::decode(path).unwrap_or_else(|| path.to_owned()));
    let name = host.name()?;
    let mut rest = Some(name);
    while let Some(parent) = rest {
        let found = places
            .get(parent)
            .into_iter()
            .flatten()
            .find(|place| place.is_below == (parent.len() < name.len()) && is_at(&path, &place.path));
        if let Some(place) = found {
            return Some(place.kind);
        }
        rest = parent.split_once('.').map(|(_, above)| above);
    }
    None
}

/// Lower case, with single slashes: how most servers read a path.
fn plain(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !plain.ends_with('/') {
            plain.push(c.to_ascii_lowercase());
        }
    }
    plain
}

/// Whether `path` is `place` or below it, by segment.
fn is_at(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| {
        place.is_empty() || rest.is_empty() || rest.starts_with('/') || place.ends_with('/')
    })
}

#[cfg(test)]
pub(super) fn is_read() -> bool {
    PLACES.as_ref().is_some_and(|p| p.len() > 80)
}
