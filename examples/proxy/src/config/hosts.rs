//! Names of hosts and ports, and patterns of them. Strict: what two readers could take differently is no name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The port of https.
pub(crate) const HTTPS: u16 = 443;

/// A host as it is written: a name in lower case, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Name(String),
    Ip(IpAddr),
}

/// A host and, if it is written, a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
}

/// Hosts that a configuration names: one, or `*.name` for every host with one more label to the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern {
    host: Host,
    wildcard: bool,
    port: u16,
}

impl Host {
    /// A name or address, without a port. No trailing dot, and no other spelling of an address (`127.1`, `0x7f.1`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let ip: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        let is_label = |label: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (1..=63).contains(&label.len()) && !label.starts_with('-') && label.bytes().all(fits)
        };
        let last = text.rsplit('.').next()?;
        // Resolvers read what ends in a number as an address.
        let is_number =
            last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
        let is_name = text.len() <= 253 && text.split('.').all(is_label) && !is_number;
        is_name.then(|| Self::Name(text.to_ascii_lowercase()))
    }

    /// The name, if it is one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Ip(_) => None,
        }
    }
}

impl Place {
    /// `host`, `host:port`, `[address]:port`; nothing before, between or behind.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let end = match text.find(']') {
            Some(n) => n + 1,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at_checked(end)?;
        let port = match rest {
            "" => None,
            _ => Some(port_of(rest.strip_prefix(':')?)?),
        };
        Some(Self {
            host: Host::parse(host)?,
            port,
        })
    }
}

/// 1 to 65535, digits alone.
fn port_of(text: &str) -> Option<u16> {
    let is_plain = text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten().filter(|p| *p != 0)
}

impl HostPattern {
    /// `host`, `*.host`, each with or without `:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (wildcard, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let place = Place::parse(rest)?;
        if wildcard && place.host.name().is_none_or(|name| !name.contains('.')) {
            return None;
        }
        Some(Self {
            host: place.host,
            wildcard,
            port: place.port.unwrap_or(HTTPS),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// As it is written, without the port.
    pub(crate) fn without_port(&self) -> String {
        let star = if self.wildcard { "*." } else { "" };
        format!("{star}{}", self.host)
    }

    pub(crate) fn matches(&self, host: &Host, port: u16) -> bool {
        self.port == port && self.matches_host(host)
    }

    /// Whatever the port.
    pub(crate) fn matches_host(&self, host: &Host) -> bool {
        match (host, &self.host) {
            (Host::Name(name), Host::Name(own)) if self.wildcard => {
                name.split_once('.').is_some_and(|(_, rest)| rest == own)
            }
            _ => *host == self.host,
        }
    }

    /// Whether it matches all that the other one does.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self == other || (!other.wildcard && self.matches(&other.host, other.port))
    }

    /// A name that it matches, to try certificates with.
    pub(crate) fn sample(&self) -> Option<String> {
        let name = self.host.name()?;
        Some(if self.wildcard {
            format!("any.{name}")
        } else {
            name.to_owned()
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.wildcard { "*." } else { "" };
        write!(f, "{star}{}", self.host)?;
        if self.port == HTTPS {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let shown = |text: &str| Place::parse(text).map(|p| (p.host.to_string(), p.port));
        let name = |name: &str, port| Some((name.to_owned(), port));
        assert_eq!(shown("api.openai.com:443"), name("api.openai.com", Some(443)));
        assert_eq!(shown("API.OpenAI.com"), name("api.openai.com", None));
        assert_eq!(shown("a_b.example"), name("a_b.example", None));
        assert_eq!(
            shown("xn--bcher-kva.example:8443"),
            name("xn--bcher-kva.example", Some(8443))
        );
        assert_eq!(shown("127.0.0.1:80"), name("127.0.0.1", Some(80)));
        assert_eq!(shown("[::1]:443"), name("[::1]", Some(443)));
        assert_eq!(shown("[0:0::1]"), name("[::1]", None));
        let long = "a".repeat(64);
        let longer = format!("{}a", "a.".repeat(127));
        for bad in [
            "",
            ":443",
            "a.example:",
            "a.example:0",
            "a.example:65536",
            "a.example:+443",
            "a.example:443:443",
            "a.example:44 3",
            "a.example.",
            ".a.example",
            "a..example",
            "-a.example",
            "user@a.example",
            "user:pw@a.example:443",
            "a.example/x",
            "a.example\\x",
            "a.example?",
            "a.example#",
            "a.example%00",
            "*.example.com",
            "é.example",
            "a b.example",
            "127.1",
            "127.0.0.1.",
            "0x7f.1",
            "a.0x7f",
            "2130706433",
            "0177.0.0.1",
            "1.2.3.4.5",
            "999.1.1.1",
            "::1",
            "[::1",
            "::1]",
            "[::1]443",
            "[127.0.0.1]:443",
            "[fe80::1%25eth0]:443",
            "x[::1]",
            &long,
            &longer,
        ] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns() {
        let rows = [
            ("api.openai.com", "api.openai.com:443", true),
            ("api.openai.com", "API.openai.COM:443", true),
            ("api.openai.com", "api.openai.com:8443", false),
            ("api.openai.com:8443", "api.openai.com:8443", true),
            ("api.openai.com:8443", "api.openai.com:443", false),
            ("api.openai.com", "xapi.openai.com:443", false),
            ("api.openai.com", "x.api.openai.com:443", false),
            ("*.openai.com", "api.openai.com:443", true),
            ("*.openai.com", "openai.com:443", false),
            ("*.openai.com", "a.b.openai.com:443", false),
            ("*.openai.com", "xopenai.com:443", false),
            ("*.openai.com:22", "api.openai.com:22", true),
            ("140.82.112.3:22", "140.82.112.3:22", true),
            ("[2606:50c0::1]", "[2606:50c0:0::1]:443", true),
        ];
        for (pattern, place, matches) in rows {
            let pattern = HostPattern::parse(pattern).unwrap();
            let place = Place::parse(place).unwrap();
            assert_eq!(
                pattern.matches(&place.host, place.port.unwrap()),
                matches,
                "{pattern} {place:?}"
            );
        }
        for bad in [
            "*",
            "*.",
            "*.com",
            "*.*.com",
            "a.*.com",
            "*a.example.com",
            "*.1.2.3.4",
            "*.example.com:",
            "",
        ] {
            assert_eq!(HostPattern::parse(bad), None, "{bad}");
        }
        let covers = |a, b| {
            HostPattern::parse(a)
                .unwrap()
                .covers(&HostPattern::parse(b).unwrap())
        };
        assert!(covers("*.a.b", "x.a.b") && covers("*.a.b", "*.a.b") && covers("a.b", "a.b:443"));
        assert!(!covers("x.a.b", "*.a.b") && !covers("*.a.b", "x.a.b:22") && !covers("a.b", "c.b"));
        assert!(!covers("*.a.b", "*.x.a.b"));
    }
}
