//! Where a git remote is, in every form that git takes.

use super::address::Address;
use super::host::{self, Host};

/// Where a remote is.
pub(super) enum Target {
    /// A path on this machine, or the name of a remote.
    Local,
    /// A repository on a host.
    At {
        host: Host,
        port: Option<u16>,
        /// Its path, without `.git`.
        segments: Vec<String>,
    },
    /// Cannot be told, or is a form that runs something (`ext::sh -c …`).
    Unclear,
}

impl Target {
    pub(super) fn parse(remote: &str) -> Self {
        Self::read(remote).unwrap_or(Self::Unclear)
    }

    fn read(remote: &str) -> Option<Self> {
        if remote.is_empty() || remote.len() > 4096 || remote.chars().any(char::is_control) {
            return None;
        }
        if let Some((scheme, rest)) = remote.split_once("://") {
            return Self::of_url(scheme, rest, remote);
        }
        // `transport::address` runs a helper program; two slashes are a share of another machine on Windows.
        if remote.contains("::")
            || remote.starts_with("//")
            || remote.starts_with("\\\\")
            || remote.starts_with('-')
        {
            return None;
        }
        if let Some(place) = Self::of_scp(remote) {
            return place;
        }
        // A path to git; but `host/org/repo` is how people and other tools write a remote.
        let (first, path) = remote.split_once('/').unwrap_or((remote, ""));
        let is_host = first.contains('.') && !first.starts_with('.') && path.contains('/');
        if is_host {
            return Self::at(first, path);
        }
        Some(Self::Local)
    }

    fn of_url(scheme: &str, rest: &str, remote: &str) -> Option<Self> {
        match scheme.to_ascii_lowercase().as_str() {
            "file" => (rest.starts_with('/') && !rest.starts_with("//") || rest.starts_with("localhost/"))
                .then_some(Self::Local),
            "http" | "https" | "ssh" | "git" | "git+ssh" | "ssh+git" | "git+https" | "git+http" => {
                let address = Address::parse(remote)?;
                if address.query().is_some() || address.fragment().is_some() {
                    return None;
                }
                // The path as it was written: the parsed one has its dots resolved already.
                let (_, path) = rest.split_once('/')?;
                Some(Self::At {
                    host: address.host().clone(),
                    port: address.port(),
                    segments: segments(path)?,
                })
            }
            _ => None,
        }
    }

    /// `user@host:path`: a colon before the first slash. The inner option is what became of it.
    fn of_scp(remote: &str) -> Option<Option<Self>> {
        let is_drive = matches!(remote.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
        let end = match remote.strip_prefix('[') {
            Some(_) => remote.find("]:").map(|at| at + 1),
            None => remote.find(':'),
        };
        let end = end.filter(|at| !is_drive && !remote.get(..*at).unwrap_or_default().contains('/'))?;
        let (place, path) = remote.split_at(end);
        let host = place.split_once('@').map_or(place, |(_, host)| host);
        let path = path.strip_prefix(':').unwrap_or(path);
        Some(Self::at(host, path.strip_prefix('/').unwrap_or(path)))
    }

    fn at(host: &str, path: &str) -> Option<Self> {
        let (host, port) = host::with_port(host)?;
        Some(Self::At {
            host,
            port,
            segments: segments(path)?,
        })
    }
}

/// The segments of a path. Nothing when one is empty, dotted, or holds an encoded slash or anything else that another
/// reader would take for a boundary.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_suffix(".git").unwrap_or(path);
    path.split('/')
        .map(|segment| {
            let segment = decode(segment)?;
            let is_plain = !matches!(segment.as_str(), "" | "." | "..")
                && !segment.contains(['/', '\\', '%', '?', '#', '~', ':', '@'])
                && !segment.chars().any(char::is_control);
            is_plain.then_some(segment)
        })
        .collect()
}

/// Percent-decodes once. Nothing for a broken escape.
pub(in crate::detect) fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
