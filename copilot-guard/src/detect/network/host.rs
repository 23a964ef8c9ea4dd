//! One host, in the one form in which hosts are compared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A name or an address. Equal hosts are equal values, however they were spelled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name: lower case, punycode, no dot at the end.
    Name(String),
    /// An address; an IPv4 address within an IPv6 one is an IPv4 address.
    Ip(IpAddr),
}

/// Names that mean this machine.
const LOOPBACK: [&str; 6] = [
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "host.docker.internal",
    "host.containers.internal",
];

/// Names of the services that hand out a machine's credentials.
const METADATA: [&str; 6] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
];

impl Host {
    /// Reads a host without a port. Nothing for what is no proper host: control characters, blanks, `@`, `%`, empty
    /// labels, labels that begin with `-`, and letters that only look like other letters.
    pub fn parse(text: &str) -> Option<Self> {
        // A name has 253 bytes at most; its Unicode spelling may be somewhat longer.
        if text.len() > 1024 {
            return None;
        }
        if text.contains([':', '[']) {
            let bare = match text.strip_prefix('[') {
                Some(rest) => rest.strip_suffix(']')?,
                None => text,
            };
            return bare.parse::<Ipv6Addr>().ok().map(|a| Self::Ip(unmapped(a)));
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let is_plain = |c: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '-' | '_' | '.')
                || !(c.is_ascii() || c.is_control() || c.is_whitespace())
        };
        if text.is_empty() || !text.chars().all(is_plain) {
            return None;
        }
        match url::Host::parse(text).ok()? {
            url::Host::Ipv4(address) => Some(Self::Ip(address.into())),
            url::Host::Ipv6(address) => Some(Self::Ip(unmapped(address))),
            url::Host::Domain(name) => {
                // Letters that fold to plain ones (full width, zero width) are a disguise, not a name.
                let is_disguised = !text.is_ascii() && !name.split('.').any(|l| l.starts_with("xn--"));
                (is_name(&name) && !is_disguised).then_some(Self::Name(name))
            }
        }
    }

    /// The name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Ip(_) => None,
        }
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => LOOPBACK.contains(&name.as_str()) || is_below(name, "localhost"),
            Self::Ip(address) => address.is_loopback() || address.is_unspecified(),
        }
    }

    /// Whether it hands out the credentials of a machine in a cloud.
    pub fn is_metadata(&self) -> bool {
        match self {
            Self::Name(name) => METADATA.contains(&name.as_str()),
            Self::Ip(IpAddr::V4(a)) => {
                a.is_link_local()
                    || *a == Ipv4Addr::new(100, 100, 100, 200)
                    || *a == Ipv4Addr::new(192, 0, 0, 192)
                    || *a == Ipv4Addr::new(168, 63, 129, 16)
            }
            Self::Ip(IpAddr::V6(a)) => matches!(
                a.segments(),
                [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
            ),
        }
    }
}

/// As in an address; IPv6 in brackets.
impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(a)) => a.fmt(f),
            Self::Ip(IpAddr::V6(a)) => write!(f, "[{a}]"),
        }
    }
}

/// Whether `name` stands below `parent`, by label.
pub(super) fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
}

/// A host and the port behind it.
pub(super) fn with_port(text: &str) -> Option<(Host, Option<u16>)> {
    let (host, port) = match text.rfind(':') {
        // More than one colon and no bracket: an IPv6 address without a port.
        Some(_) if !text.starts_with('[') && text.matches(':').count() > 1 => (text, None),
        Some(_) if text.ends_with(']') => (text, None),
        Some(at) => {
            let (host, port) = text.split_at(at);
            (host, port.strip_prefix(':'))
        }
        None => (text, None),
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|p| *p > 0)?)
        }
        Some(_) => return None,
    };
    Some((Host::parse(host)?, port))
}

/// IPv4 addresses within IPv6 ones: mapped, compatible and translated (RFC 6052).
fn unmapped(address: Ipv6Addr) -> IpAddr {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let inner = || {
        let [w, x] = high.to_be_bytes();
        let [y, z] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(w, x, y, z))
    };
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => inner(),
        [0, 0, 0, 0, 0, 0] if high != 0 => inner(),
        _ => IpAddr::V6(address),
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
