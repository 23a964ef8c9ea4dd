//! Tables of hosts, addresses and remotes.

use super::*;

fn network() -> Network {
    Network::new(
        [
            "github.com",
            "*.github.com",
            "docs.rs",
            "bücher.example",
            "registry.npmjs.org:443",
            "93.184.216.34",
        ],
        [
            "*.acme.internal",
            "acme.internal",
            "10.20.0.0/16",
            "fd12:3456::/32",
        ],
        ["github.com/acme/*", "gitlab.com/acme/tools/*/src"],
    )
    .unwrap()
}

fn unescape(text: &str) -> String {
    text.replace("\\\\", "\u{1}")
        .replace("\\0", "\0")
        .replace("\\n", "\n")
        .replace("\\t", "\t")
        .replace("\\u{200b}", "\u{200b}")
        .replace("\\u{ad}", "\u{ad}")
        .replace('\u{1}', "\\")
}

/// The cases of a section: what it must be, and the text.
fn cases(section: &str) -> Vec<(&'static str, String)> {
    let name = format!("[{section}]");
    let cases: Vec<_> = include_str!("cases.txt")
        .lines()
        .skip_while(|line| *line != name)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_once(' ').unwrap())
        .map(|(must, text)| (must, unescape(text.trim_start())))
        .collect();
    assert!(cases.len() >= 20, "the section `{section}` is gone");
    cases
}

fn check(section: &str, is: impl Fn(&str) -> String) {
    let wrong: Vec<_> = cases(section)
        .iter()
        .filter(|(must, text)| is(text) != *must)
        .map(|(must, text)| format!("{text:?} is {} and must be {must}", is(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn name(class: HostClass) -> String {
    format!("{class:?}").to_lowercase()
}

#[test]
fn hosts() {
    let network = network();
    check("host", |text| name(network.host(text)));
}

#[test]
fn addresses() {
    let network = network();
    check("url", |text| name(network.url(text)));
}

#[test]
fn remotes() {
    let network = network();
    check("remote", |text| {
        if network.is_own_remote(text) { "own" } else { "not" }.to_owned()
    });
}

#[test]
fn relays() {
    assert!(super::relay::is_read());
    check("relay", |text| {
        let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        if is_relay(host, path) { "relay" } else { "plain" }.to_owned()
    });
}

#[test]
fn every_host_but_metadata() {
    let network = Network::new(["*"], [], ["*"]).unwrap();
    assert_eq!(network.host("evil.com"), HostClass::Allowed);
    assert_eq!(network.host("8.8.8.8"), HostClass::Allowed);
    assert_eq!(network.host("169.254.169.254"), HostClass::Metadata);
    assert_eq!(network.host("evil.com@github.com"), HostClass::Foreign);
    assert!(network.is_own_remote("git@evil.com:x/y"));
    assert!(!network.is_own_remote("ext::sh -c id"));
}

#[test]
fn nothing_is_ours_by_default() {
    let network = Network::default();
    assert_eq!(network.host("github.com"), HostClass::Foreign);
    assert_eq!(network.host("localhost"), HostClass::Loopback);
    assert!(!network.is_own_remote("git@github.com:acme/app"));
}

#[test]
fn bad_entries_are_all_named() {
    let error = Network::new(
        [
            "https://github.com/",
            "*.com*",
            "a..b",
            "ok.example",
            "*x",
            "",
            "10.0.0.0/33",
            "a b",
        ],
        ["*.10.0.0.1", "host/path"],
        [
            "github.com",
            "https://github.com/acme/*",
            "github.com/acme-*",
            "github.com/../x",
            "github.com//x",
            "a b/c",
        ],
    )
    .unwrap_err();
    let wrong: Vec<_> = error.entries.iter().map(|e| e.entry.as_str()).collect();
    assert_eq!(error.entries.len(), 7 + 2 + 6, "{wrong:?}");
    let first = error.entries.first().unwrap();
    assert_eq!(
        first.to_string(),
        "`https://github.com/` in `allowed_hosts` is an address with a scheme: write its host alone"
    );
}

#[test]
fn an_address_knows_its_parts() {
    let address = Address::parse("https://u:p@GitHub.com:8443/a/b?q=1#f").unwrap();
    assert_eq!(address.scheme(), "https");
    assert_eq!(address.host().to_string(), "github.com");
    assert_eq!(address.port(), Some(8443));
    assert_eq!(address.path(), "/a/b");
    assert_eq!(address.query(), Some("q=1"));
    assert_eq!(address.fragment(), Some("f"));
    assert!(address.has_userinfo());
    assert!(!Address::parse("github.com/a").unwrap().has_userinfo());
}
