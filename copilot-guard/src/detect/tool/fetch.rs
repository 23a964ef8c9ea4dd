//! Addresses that a tool fetches.

use super::super::judgement::{Class, Danger, Finding};
use super::super::network::{Address, HostClass, Network, is_data_label, is_payload};

/// Longest query to a host that is not ours that a person may wave through, in bytes.
const MAX_QUERY: usize = 256;

/// What it would mean to fetch this address. Nothing if it is ours.
pub(super) fn judge(network: &Network, text: &str) -> Option<Finding> {
    let text = text.trim_matches(' ');
    let scheme = text.split_once(':').map(|(s, _)| s.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("data" | "javascript" | "vbscript") => {
            return Some(block(
                "remote-code/inline-address",
                Class::RemoteCode,
                "opens code that stands in the address",
            ));
        }
        Some("file") => {
            return Some(block(
                "credential-access/file-address",
                Class::CredentialAccess,
                "opens a file of this machine as a page",
            ));
        }
        Some("about") => return None,
        Some("chrome" | "edge" | "view-source" | "blob" | "vscode" | "command") => {
            return Some(block(
                "self-approval/inner-address",
                Class::SelfApproval,
                "opens an inner page of a browser or an editor",
            ));
        }
        _ => {}
    }
    let Some(address) = Address::parse(text) else {
        return Some(block(
            "exfiltration/odd-address",
            Class::Exfiltration,
            "an address that is not read alike by all programs",
        ));
    };
    match network.address(&address) {
        HostClass::Metadata => Some(block(
            "credential-access/metadata-service",
            Class::CredentialAccess,
            "asks the service that hands out a machine's credentials",
        )),
        HostClass::Loopback | HostClass::Internal if is_odd_number(text) => Some(block(
            "exfiltration/odd-address",
            Class::Exfiltration,
            "an address of this machine or network, spelled in a way that hides it",
        )),
        HostClass::Loopback | HostClass::Internal => None,
        HostClass::Allowed if !address.is_relay() => None,
        HostClass::Allowed | HostClass::Foreign => Some(foreign(&address)),
    }
}

/// Whether a host is a number that is not written as four decimal ones.
fn is_odd_number(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    let parts: Vec<&str> = host.split('.').collect();
    let is_number = |part: &&str| {
        let hex = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
        match hex {
            Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
            None => !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()),
        }
    };
    let is_plain = |part: &&str| part.len() == 1 || !part.starts_with('0');
    parts.iter().all(is_number) && !(parts.len() == 4 && parts.iter().all(is_plain))
}

fn foreign(address: &Address) -> Finding {
    let query = address.query().unwrap_or_default();
    let sent = query.len() + address.fragment().map_or(0, str::len);
    let name = address.host().name().unwrap_or_default();
    if address.has_userinfo() {
        block(
            "exfiltration/userinfo",
            Class::Exfiltration,
            "an address with a name or password, on a host that is not ours",
        )
    } else if name.split('.').any(is_data_label) {
        block(
            "exfiltration/data-in-host",
            Class::Exfiltration,
            "a host's name that carries data",
        )
    } else if sent > MAX_QUERY || is_payload(query) || is_payload(address.path()) {
        block(
            "exfiltration/data-in-address",
            Class::Exfiltration,
            "an address that carries data to a host that is not ours",
        )
    } else {
        Finding::new(
            "exfiltration/foreign-host",
            Class::Exfiltration,
            Danger::Approve,
            "a host that is not ours",
        )
    }
}

fn block(rule: &'static str, class: Class, why: &str) -> Finding {
    Finding::new(rule, class, Danger::Block, why)
}
