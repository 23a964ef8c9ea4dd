//! Where words point to on the network: addresses read as browsers and as curl read them.

use super::super::judgement::Judgement;
use super::super::network::HostClass;
use super::flow::Flow;
use super::words::{Cx, Note, UNKNOWN, Word};

/// Whether a word names a host that is not ours, or cannot be told. Addresses, `user@host:path`, bare names.
pub(super) fn is_foreign(cx: &Cx<'_>, word: &Word) -> bool {
    let scheme = word
        .text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let is_web =
        scheme.is_some_and(|scheme| matches!(scheme.as_str(), "http" | "https" | "ws" | "wss" | "ftp"));
    if is_web && !word.dynamic && cx.network.url(&word.text) == HostClass::Foreign {
        return true;
    }
    let hosts = hosts_of(&word.text);
    hosts.is_empty() || hosts.iter().any(|host| !is_ours(cx, host)) || word.is_blank()
}

/// Whether a word is an address (with a scheme) of a host that is not ours.
pub(super) fn is_foreign_url(cx: &Cx<'_>, word: &Word) -> bool {
    is_url(&word.text) && is_foreign(cx, word)
}

/// Whether a word has a scheme of the network in front.
pub(super) fn is_url(text: &str) -> bool {
    let scheme = text
        .trim_start()
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| {
        let scheme = scheme.rsplit('+').next().unwrap_or_default();
        matches!(
            scheme,
            "http"
                | "https"
                | "ftp"
                | "ftps"
                | "sftp"
                | "scp"
                | "ssh"
                | "git"
                | "ws"
                | "wss"
                | "tftp"
                | "smb"
                | "ldap"
                | "gopher"
                | "dict"
                | "telnet"
                | "rsync"
        )
    })
}

/// Whether it is the address of a cloud's metadata service, which hands out credentials.
pub(super) fn is_metadata(text: &str) -> bool {
    const METADATA: [&str; 5] = [
        "169.254.169.254",
        "metadata.google.internal",
        "fd00:ec2::254",
        "169.254.170.2",
        "100.100.100.200",
    ];
    hosts_of(text)
        .iter()
        .any(|host| METADATA.contains(&host.trim_matches(['[', ']'])))
}

/// Whether it is an address where people answer what an agent asked for: `…/approvals/7`, `…/votes`.
pub(super) fn is_vote(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    let path = lower.split(['?', '#']).next().unwrap_or_default();
    let rest = path.split_once("://").map_or(path, |(_, rest)| rest);
    rest.split('/').skip(1).any(|part| {
        matches!(
            part,
            "approvals" | "approval" | "approve" | "votes" | "vote" | "confirmations" | "confirm-command"
        )
    })
}

fn is_ours(cx: &Cx<'_>, host: &str) -> bool {
    if host.is_empty() || host.contains(UNKNOWN) || host.chars().any(char::is_control) {
        return false;
    }
    cx.network.host(host) != HostClass::Foreign
}

/// The hosts that a word may mean: as the WHATWG rules read it, and as curl does.
fn hosts_of(text: &str) -> Vec<String> {
    let text = text.trim();
    let mut hosts = Vec::new();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text.strip_prefix("//").unwrap_or(text)),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let bare = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    hosts.push(address(bare));
    if scheme.is_none_or(|scheme| scheme.len() < 12) && !text.contains(UNKNOWN) {
        let whole = format!("http://{rest}");
        if let Some(host) = url::Url::parse(&whole)
            .ok()
            .and_then(|url| url.host().map(|host| host.to_owned()))
        {
            let host = match host {
                url::Host::Ipv6(v6) => v6
                    .to_ipv4_mapped()
                    .map_or_else(|| v6.to_string(), |v4| v4.to_string()),
                url::Host::Ipv4(v4) => v4.to_string(),
                url::Host::Domain(name) => name,
            };
            hosts.push(host);
        }
    }
    hosts.dedup();
    hosts
}

/// A host in its usual form, numbers as an address.
fn address(host: &str) -> String {
    let parsed = url::Url::parse(&format!("http://{host}/")).ok();
    let parsed = parsed.and_then(|url| match url.host() {
        Some(url::Host::Ipv4(v4)) => Some(v4.to_string()),
        _ => None,
    });
    let v6 = host.parse::<std::net::Ipv6Addr>().ok();
    let v6 = v6.map(|v6| {
        v6.to_ipv4_mapped()
            .map_or_else(|| v6.to_string(), |v4| v4.to_string())
    });
    parsed
        .or(v6)
        .unwrap_or_else(|| host.trim_end_matches('.').to_ascii_lowercase())
}

/// Judges an option of ssh, `Name=value`.
pub(super) fn ssh_option(cx: &Cx<'_>, setting: &Word, stdin: &Flow, out: &mut Judgement) {
    let (name, value) = setting.text.split_once(['=', ' ']).unwrap_or((&setting.text, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "proxycommand" | "localcommand" | "knownhostscommand" | "match" => {
            let (judgement, _) = super::script::nested(cx, value, stdin);
            out.merge(judgement);
            out.block("remote-code/command-option", "an option that runs a command");
        }
        "permitlocalcommand" | "proxyjump" | "pkcs11provider" | "securitykeyprovider" | "include" => {
            out.approve(
                "remote-code/command-option",
                "an option that runs a command, or goes by another host",
            );
        }
        "remoteforward" | "dynamicforward" | "tunnel" => {
            out.block("exfiltration/tunnel", "a tunnel into this network")
        }
        _ => {}
    }
}
