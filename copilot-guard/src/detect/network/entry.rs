//! The entries of a policy's lists, compiled.

use std::fmt;
use std::net::IpAddr;

use super::host::{self, Host};

/// An entry that can mean nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadEntry {
    /// The list: `allowed_hosts`, `internal_hosts` or `own_remotes`.
    pub list: &'static str,
    /// The entry as it was written.
    pub entry: String,
    /// What is wrong with it.
    pub why: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` in `{}` {}: {}",
            self.entry.escape_default(),
            self.list,
            self.why,
            self.help
        )
    }
}

/// All entries that can mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", entries.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
#[non_exhaustive]
pub struct NetworkError {
    /// Each of them, in the order of the lists.
    pub entries: Vec<BadEntry>,
}

/// What is wrong, and what to write instead.
type Why = (&'static str, &'static str);

/// Compiles a list; what is wrong goes to `bad`.
pub(super) fn compile<S: Into<String>, T>(
    list: &'static str,
    entries: impl IntoIterator<Item = S>,
    parse: impl Fn(&str) -> Result<T, Why>,
    bad: &mut Vec<BadEntry>,
) -> Vec<T> {
    let mut compiled = Vec::new();
    for entry in entries.into_iter().map(Into::into) {
        match parse(&entry) {
            Ok(good) => compiled.push(good),
            Err((why, help)) => bad.push(BadEntry {
                list,
                entry,
                why,
                help,
            }),
        }
    }
    compiled
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    All,
    Is(Host),
    Below(String),
    Range(IpAddr, u8),
}

/// One entry of a list of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostEntry {
    pattern: Pattern,
    port: Option<u16>,
}

impl HostEntry {
    pub(super) fn parse(entry: &str) -> Result<Self, Why> {
        const NAMES: &str = "write `name`, `*.name`, an address, or `*` for every host";
        if entry.contains("://") {
            return Err(("is an address with a scheme", "write its host alone"));
        }
        if let Some((address, bits)) = entry.split_once('/') {
            return Self::range(address, bits);
        }
        let port_of = |rest: &str| match rest {
            "" => Ok(None),
            _ => rest
                .strip_prefix(':')
                .and_then(|digits| digits.parse().ok())
                .filter(|port| *port > 0)
                .map(Some)
                .ok_or(("has `*` where none can stand", NAMES)),
        };
        if let Some(name) = entry.strip_prefix("*.") {
            let (host, port) = host::with_port(name).ok_or(("has no proper name behind `*.`", NAMES))?;
            return match host {
                Host::Name(name) => Ok(Self {
                    pattern: Pattern::Below(name),
                    port,
                }),
                Host::Ip(_) => Err(("has an address behind `*.`", "write a range such as `10.0.0.0/8`")),
            };
        }
        if let Some(rest) = entry.strip_prefix('*') {
            return Ok(Self {
                pattern: Pattern::All,
                port: port_of(rest)?,
            });
        }
        if entry.contains('*') {
            return Err(("has `*` where none can stand", NAMES));
        }
        let (host, port) = host::with_port(entry).ok_or(("is no proper host", NAMES))?;
        Ok(Self {
            pattern: Pattern::Is(host),
            port,
        })
    }

    fn range(address: &str, bits: &str) -> Result<Self, Why> {
        const WHY: Why = (
            "has a path, or is no range of addresses",
            "write the host alone, or a range such as `10.0.0.0/8`",
        );
        let Some(Host::Ip(address)) = Host::parse(address) else {
            return Err(WHY);
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = bits.parse().ok().filter(|b| *b <= most).ok_or(WHY)?;
        Ok(Self {
            pattern: Pattern::Range(address, bits),
            port: None,
        })
    }

    pub(super) fn matches(&self, host: &Host, port: Option<u16>) -> bool {
        let is_port = self.port.is_none() || self.port == port;
        is_port
            && match (&self.pattern, host) {
                (Pattern::All, _) => true,
                (Pattern::Is(own), host) => own == host,
                (Pattern::Below(parent), Host::Name(name)) => host::is_below(name, parent),
                (Pattern::Range(base, bits), Host::Ip(address)) => is_within(*address, *base, *bits),
                (Pattern::Below(_), Host::Ip(_)) | (Pattern::Range(..), Host::Name(_)) => false,
            }
    }
}

fn is_within(address: IpAddr, base: IpAddr, bits: u8) -> bool {
    let same = |a: u128, b: u128, all: u32| {
        // A shift by the whole width is no shift in Rust: zero bits are the same.
        (a ^ b).checked_shr(all.saturating_sub(bits.into())).unwrap_or(0) == 0
    };
    match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        _ => false,
    }
}

/// One entry of the list of remotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteEntry {
    host: HostEntry,
    /// `None` is `*`: one segment, or all that follow at the end.
    path: Vec<Option<String>>,
}

impl RemoteEntry {
    pub(super) fn parse(entry: &str) -> Result<Self, Why> {
        const FORM: &str = "write `host/path`, such as `github.com/acme/*`";
        if entry.contains("://") || entry.contains('@') {
            return Err(("has a scheme or a user", FORM));
        }
        if entry == "*" {
            return Ok(Self {
                host: HostEntry {
                    pattern: Pattern::All,
                    port: None,
                },
                path: vec![None],
            });
        }
        let (host, path) = entry.split_once('/').ok_or(("has no path", FORM))?;
        let host = HostEntry::parse(host)?;
        let path = path
            .strip_suffix('/')
            .unwrap_or(path)
            .split('/')
            .map(|segment| match segment {
                "*" => Ok(None),
                "" | "." | ".." => Err(("has an empty or a dotted segment", FORM)),
                _ if segment.contains(['*', '\\', '%', '?', '#', ':'])
                    || segment.chars().any(|c| c.is_control() || c.is_whitespace()) =>
                {
                    Err((
                        "has a segment that no remote has, or `*` within one",
                        "let `*` be a whole segment",
                    ))
                }
                _ => Ok(Some(segment.strip_suffix(".git").unwrap_or(segment).to_owned())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { host, path })
    }

    pub(super) fn matches(&self, host: &Host, port: Option<u16>, segments: &[String]) -> bool {
        let is_open = matches!(self.path.last(), Some(None));
        let is_long = if is_open {
            segments.len() >= self.path.len()
        } else {
            segments.len() == self.path.len()
        };
        is_long
            && self.host.matches(host, port)
            && self
                .path
                .iter()
                .zip(segments)
                .all(|(own, segment)| own.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(segment)))
    }
}
