//! Addresses, read as browsers do and as `curl` does.

use url::Url;

use super::host::{self, Host};

/// An address with a host, which browsers and `curl` read alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    host: Host,
}

/// Longest address that is looked at.
const MAX_BYTES: usize = 64 << 10;

impl Address {
    /// Reads a URL with a host, `//host/path`, or a host and path without a scheme (as `curl` takes it). Nothing for
    /// what has no host, control characters, blanks or backslashes within the host, or a host that is read in two ways.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return None;
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            // `https:/host` and `https:host` are an address to browsers, and a host named `https` to others.
            _ if has_lone_scheme(text) => return None,
            // Without a scheme, what stands before an `@` could be one: `mailto:a@host`.
            _ if text
                .split(['/', '?', '#'])
                .next()
                .is_some_and(|t| t.contains('@')) =>
            {
                return None;
            }
            _ => ("http", text.strip_prefix("//").unwrap_or(text)),
        };
        let (host, _) = host_of_curl(rest)?;
        let url = Url::parse(&format!("{scheme}://{rest}")).ok()?;
        // Browsers read numbers as addresses in some schemes only; what connects does so in all.
        (Host::parse(url.host_str()?)? == host).then_some(Self { url, host })
    }

    /// The scheme; `http` where none was written.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, or the one that the scheme means.
    pub fn port(&self) -> Option<u16> {
        self.url.port_or_known_default().or(match self.url.scheme() {
            "ssh" => Some(22),
            "git" => Some(9418),
            _ => None,
        })
    }

    /// The path, with a slash in front, as it would be sent.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// What stands behind `?`.
    pub fn query(&self) -> Option<&str> {
        self.url.query()
    }

    /// What stands behind `#`.
    pub fn fragment(&self) -> Option<&str> {
        self.url.fragment()
    }

    /// Whether a name or a password stands before the host.
    pub fn has_userinfo(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }

    /// Whether what is sent there is passed on to anybody, or shown to anybody: see [`super::is_relay`].
    pub fn is_relay(&self) -> bool {
        super::relay::find(&self.host, self.path()).is_some()
    }
}

fn has_lone_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        ["http", "https", "ws", "wss", "ftp", "file"]
            .iter()
            .any(|s| scheme.eq_ignore_ascii_case(s))
    })
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// The host as `curl` finds it: up to the first `/`, `?` or `#`, behind one `@`. Older ones look for the `@` up to the
/// first `/`, so one there is nothing that all agree on.
fn host_of_curl(rest: &str) -> Option<(Host, Option<u16>)> {
    let to_slash = rest.split('/').next().unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains(['\\', '%']) || to_slash.matches('@').count() != authority.matches('@').count() {
        return None;
    }
    let host = match authority.split_once('@') {
        Some((_, host)) if host.contains('@') => return None,
        Some((_, host)) => host,
        None => authority,
    };
    host::with_port(host)
}
