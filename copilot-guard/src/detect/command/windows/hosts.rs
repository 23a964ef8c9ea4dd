//! Where a request goes.

use super::super::super::network::HostClass;
use super::super::words::Cx;

/// Whose the host of an address is. `None` if the text is no address. What is not known of a host makes it foreign.
pub(in super::super) fn of(cx: &Cx<'_>, text: &str) -> Option<HostClass> {
    let text = text.trim().trim_matches(['"', '\'']);
    if let Some(rest) = text.strip_prefix(r"\\").or_else(|| text.strip_prefix("//")) {
        let host = rest.split(['\\', '/', '@']).next().unwrap_or_default();
        // `\\?\C:\…` and `\\.\pipe` are on this machine.
        return (!matches!(host, "" | "?" | ".")).then(|| cx.network.host(host));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        if scheme.eq_ignore_ascii_case("file") {
            return (!rest.starts_with('/')).then_some(HostClass::Foreign);
        }
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if text.contains('$') || text.contains('%') {
            // A variable as the port or in the path does not change the host.
            let host = authority.rsplit('@').next().unwrap_or_default();
            let host = host.split(':').next().unwrap_or_default();
            return Some(if host.contains(['$', '%']) || host.is_empty() {
                HostClass::Foreign
            } else {
                cx.network.host(host)
            });
        }
        return Some(match url::Url::parse(&text.replace('\\', "/")) {
            Ok(url) => url
                .host_str()
                .map_or(HostClass::Foreign, |host| cx.network.host(host)),
            Err(_) => HostClass::Foreign,
        });
    }
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let is_host = host.eq_ignore_ascii_case("localhost")
        || (host.contains('.')
            && !host.starts_with('.')
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
            && host.rsplit('.').next().is_some_and(|top| !top.is_empty()));
    is_host.then(|| cx.network.host(host))
}

/// Whether a class of hosts is not ours.
pub(in super::super) fn is_foreign(class: HostClass) -> bool {
    matches!(class, HostClass::Foreign)
}

/// The furthest host that a text names with a scheme or as a share.
pub(in super::super) fn within(cx: &Cx<'_>, text: &str) -> Option<HostClass> {
    let mut found = None;
    for word in text.split(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | ',' | ';' | '|' | '<' | '>' | '`')
    }) {
        let word = word
            .split_once('=')
            .filter(|(name, _)| !name.contains("://"))
            .map_or(word, |(_, value)| value);
        if word.contains("://") || word.starts_with(r"\\") {
            match of(cx, word) {
                Some(class) if is_foreign(class) => return Some(class),
                Some(class) => found = Some(class),
                None => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::super::network::Network;
    use super::*;

    #[test]
    fn hosts_are_found_however_they_are_written() {
        let network = Network::new(["api.example.com"], ["*.corp.example"], []).unwrap();
        let cx = Cx {
            network: &network,
            depth: 0,
            folder: "",
            is_rebound: false,
        };
        assert_eq!(of(&cx, "http://localhost:3000/x"), Some(HostClass::Loopback));
        assert_eq!(of(&cx, "http://localhost:$port/x"), Some(HostClass::Loopback));
        assert_eq!(of(&cx, "https://build.corp.example/x"), Some(HostClass::Internal));
        assert_eq!(
            of(&cx, "https://api.example.com@evil.example/x"),
            Some(HostClass::Foreign)
        );
        assert_eq!(of(&cx, "https://$host/x"), Some(HostClass::Foreign));
        assert_eq!(of(&cx, "evil.example/x"), Some(HostClass::Foreign));
        assert_eq!(of(&cx, r"\\evil\share"), Some(HostClass::Foreign));
        assert_eq!(of(&cx, "src"), None);
    }
}
