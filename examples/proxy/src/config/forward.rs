//! `[forward]` and the `hosts` of upstreams: which tunnels a forward proxy opens, and which it looks into.

use std::collections::BTreeSet;
use std::time::Duration;

use copilot_guard::policy::reader::{Located, Table, Value};

use super::hosts::{Host, HostPattern};
use super::server::Tls;
use super::upstream::{RouteSet, Upstream};
use super::{Context, is_loopback};

/// What the forward mode needs beyond the reverse mode.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    /// Signs the certificates that intercepted clients are shown.
    pub(crate) ca: Tls,
    /// Hosts that are tunnelled without a look inside.
    pub(crate) tunnel: Vec<HostPattern>,
    /// Names by which clients reach this proxy itself.
    pub(crate) own_hosts: Vec<Host>,
    /// How many tunnels may be open at once.
    pub(crate) max_tunnels: usize,
    /// How long a tunnel may be without a request, or without a byte when nobody looks inside.
    pub(crate) idle_timeout: Duration,
}

const MAX_TUNNELS: u64 = 1024;
const IDLE: Duration = Duration::from_secs(600);

/// Hosts of Copilot's plans, and what has one host for all.
const COPILOT: &[&str] = &[
    "api.githubcopilot.com",
    "api.individual.githubcopilot.com",
    "api.business.githubcopilot.com",
    "api.enterprise.githubcopilot.com",
    "proxy.individual.githubcopilot.com",
    "proxy.business.githubcopilot.com",
    "proxy.enterprise.githubcopilot.com",
    "telemetry.individual.githubcopilot.com",
    "telemetry.business.githubcopilot.com",
    "telemetry.enterprise.githubcopilot.com",
    "origin-tracker.individual.githubcopilot.com",
    "origin-tracker.business.githubcopilot.com",
    "origin-tracker.enterprise.githubcopilot.com",
    "copilot-proxy.githubusercontent.com",
    "copilot-telemetry.githubusercontent.com",
    "api.github.com",
    "default.exp-tas.com",
];

/// Those of them that serve ghost text.
const GHOST_TEXT: &[&str] = &[
    "proxy.individual.githubcopilot.com",
    "proxy.business.githubcopilot.com",
    "proxy.enterprise.githubcopilot.com",
    "copilot-proxy.githubusercontent.com",
];

/// The hosts that clients of a route set ask, unless the configuration names others.
pub(crate) fn default_hosts(set: RouteSet) -> &'static [&'static str] {
    match set {
        RouteSet::Copilot => COPILOT,
        RouteSet::GhostText => GHOST_TEXT,
        RouteSet::Openai => &["api.openai.com"],
        RouteSet::Anthropic => &["api.anthropic.com"],
    }
}

/// The hosts of an upstream: those it names, else those of its route sets; and its own.
pub(super) fn hosts_of(
    named: Option<Vec<HostPattern>>,
    routes: &[RouteSet],
    base_url: Option<&http::Uri>,
) -> Vec<HostPattern> {
    let mut hosts = named.unwrap_or_else(|| {
        let defaults = routes.iter().flat_map(|set| default_hosts(*set));
        defaults.filter_map(|host| HostPattern::parse(host)).collect()
    });
    let own = base_url
        .and_then(http::Uri::authority)
        .map(http::uri::Authority::as_str);
    // An address has no name that a certificate could bear, and loopback is nothing that a client asks a proxy for.
    let own = own
        .and_then(HostPattern::parse)
        .filter(|own| own.host().name().is_some_and(|n| !is_loopback(n)));
    hosts.extend(own.filter(|own| !hosts.contains(own)));
    hosts
}

/// `hosts = ["api.example.com", "*.example.com"]` of an upstream.
pub(super) fn read_hosts(context: &Context<'_>, value: Value<'_>) -> Vec<HostPattern> {
    let patterns = patterns(context, value, "\"api.example.com\" or \"*.example.com\"");
    let mut hosts = Vec::new();
    for pattern in patterns {
        if pattern.value.host().name().is_some() {
            hosts.push(pattern.value);
        } else {
            let why = "certificates are made for names alone";
            context.add(
                &pattern.at,
                "an address cannot be intercepted",
                why,
                "write the host's name",
            );
        }
    }
    hosts
}

/// The `[forward]` section, which may be left out.
pub(super) fn read(
    context: &Context<'_>,
    table: Option<Table<'_>>,
    ca: Tls,
    upstreams: &[Upstream],
) -> Forward {
    let mut forward = Forward {
        ca,
        tunnel: Vec::new(),
        own_hosts: Vec::new(),
        max_tunnels: usize::try_from(MAX_TUNNELS).unwrap_or(usize::MAX),
        idle_timeout: IDLE,
    };
    let Some(mut table) = table else {
        return forward;
    };
    let tunnel = table
        .take("tunnel")
        .map(|v| patterns(context, v, "\"github.com:443\" or \"*.example.com\""));
    for pattern in tunnel.unwrap_or_default() {
        let mut intercepted = upstreams.iter().flat_map(|u| u.hosts.iter().map(move |h| (u, h)));
        if let Some((upstream, host)) = intercepted.find(|(_, host)| host.covers(&pattern.value)) {
            context.add(
                &pattern.at,
                format!("{} is intercepted", pattern.shown()),
                format!("`{host}` leads to the upstream `{}`", upstream.name),
                "leave it to one of them; `hosts` of the upstream says what is intercepted",
            );
        }
        forward.tunnel.push(pattern.value);
    }
    for name in table
        .take("own_hosts")
        .and_then(Value::string_or_list)
        .unwrap_or_default()
    {
        match Host::parse(&name.value) {
            Some(host) => forward.own_hosts.push(host),
            None => no_host(context, &name, "\"proxy.example.com\""),
        }
    }
    if let Some(max) = table.take("max_tunnels").and_then(Value::number) {
        forward.max_tunnels = usize::try_from(max.value).unwrap_or(usize::MAX);
        // What the semaphore behind it can count.
        if !(1..=1 << 20).contains(&max.value) {
            let why = "it is a number from 1 to 1048576";
            context.add(&max.at, "no such number of tunnels", why, "leave it out for 1024");
        }
    }
    if let Some(idle) = table.take("idle_timeout").and_then(Value::duration) {
        forward.idle_timeout = idle.value;
        if idle.value < Duration::from_secs(1) {
            let why = "every tunnel would be over at once";
            context.add(
                &idle.at,
                "the time span is too short",
                why,
                "write one such as \"10m\"",
            );
        }
    }
    table.finish();
    forward
}

fn patterns(context: &Context<'_>, value: Value<'_>, example: &str) -> Vec<Located<HostPattern>> {
    let mut patterns = Vec::new();
    for text in value.string_or_list().unwrap_or_default() {
        match HostPattern::parse(&text.value) {
            Some(value) => patterns.push(Located {
                value,
                at: text.at,
                from: text.from,
            }),
            None => no_host(context, &text, example),
        }
    }
    patterns
}

fn no_host(context: &Context<'_>, text: &Located<String>, example: &str) {
    let why = "a host is a name or an address, `*.` may stand for its first label, and a port may follow";
    let mend = format!("write one such as {example}");
    context.add(&text.at, format!("{} is not a host", text.shown()), why, mend);
}

/// What a CA may sign that serves the built-in route sets alone: the fewest domains that hold all their hosts.
pub(crate) fn default_domains() -> Vec<String> {
    let all = [RouteSet::Copilot, RouteSet::Openai, RouteSet::Anthropic];
    let hosts = all.into_iter().flat_map(default_hosts);
    let domain = |host: &&str| match host.ends_with(".githubcopilot.com") {
        true => "githubcopilot.com".to_owned(),
        false => (**host).to_owned(),
    };
    hosts.map(domain).collect::<BTreeSet<_>>().into_iter().collect()
}
