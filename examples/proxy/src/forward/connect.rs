//! What a request to a forward proxy asks for, and whether it may have it. Pure.
//!
//! 1. Only `CONNECT` is answered, and only to places that are listed.
//! 2. The host of the `CONNECT`, the name in the TLS handshake and the authority of each request inside are the same.

use std::net::SocketAddr;

use http::header::HOST;
use http::request::Parts;
use http::{Method, StatusCode, Uri};

use super::address;
use crate::config::hosts::{HTTPS, Host, HostPattern, Place};

/// Where a tunnel is to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
}

/// What is refused, and why. Holds nothing secret; `reason` is a stable word for logs and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    /// For the person who looks for the reason.
    pub(super) message: String,
}

/// What is to happen with a `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is answered here, and each request inside is judged.
    Intercept(String),
    /// It is led there unseen.
    Tunnel,
    Refuse(Refusal),
}

/// The places that are listed, and this proxy's own.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) intercept: Vec<HostPattern>,
    pub(super) tunnel: Vec<HostPattern>,
    /// Names by which clients reach this proxy.
    pub(super) own_hosts: Vec<Host>,
    /// Where it listens.
    pub(super) own: Vec<SocketAddr>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }
}

/// The place that a request names, when it is a `CONNECT`.
pub(super) fn target(method: &Method, uri: &Uri) -> Result<Target, Refusal> {
    if method != Method::CONNECT {
        return Err(match uri.scheme_str() {
            None => Refusal::new(
                StatusCode::BAD_REQUEST,
                "not_connect",
                "This is a forward proxy, not the model's address. Set it as HTTPS_PROXY (or http.proxy in an editor) and leave the base URL as it was.",
            ),
            Some(_) => Refusal::new(
                StatusCode::FORBIDDEN,
                "plain_http",
                "This proxy forwards https alone. Leave hosts of plain http out of the proxy with NO_PROXY.",
            ),
        });
    }
    let place = uri.authority().and_then(|a| Place::parse(a.as_str()));
    let is_bare = uri.scheme().is_none() && uri.path_and_query().is_none();
    match place.filter(|_| is_bare) {
        Some(Place { host, port }) => Ok(Target {
            host,
            port: port.unwrap_or(HTTPS),
        }),
        None => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "malformed_target",
            "CONNECT needs a host name and a port, such as api.githubcopilot.com:443.",
        )),
    }
}

impl Rules {
    /// Whether a tunnel to `target` may be opened. What names resolve to is looked at later.
    pub(super) fn decide(&self, target: &Target) -> Decision {
        let Target { host, port } = target;
        let refuse =
            |reason, message: String| Decision::Refuse(Refusal::new(StatusCode::FORBIDDEN, reason, message));
        if self.is_own(target) {
            return refuse(
                "own_address",
                format!("{host} is this proxy itself. Leave it out of the proxy with NO_PROXY={host}."),
            );
        }
        if is_local(host) {
            return refuse(
                "private_address",
                format!(
                    "This proxy does not connect to addresses of this machine or of private networks, such as {host}. Leave it out of the proxy with NO_PROXY={host}."
                ),
            );
        }
        if self.intercept.iter().any(|p| p.matches(host, *port))
            && let Host::Name(name) = host
        {
            return Decision::Intercept(name.clone());
        }
        if self.tunnel.iter().any(|p| p.matches(host, *port)) {
            return Decision::Tunnel;
        }
        let mut listed = self.intercept.iter().chain(&self.tunnel);
        if let Some(pattern) = listed.find(|p| p.matches_host(host)) {
            let at = pattern.port();
            return refuse(
                "port_not_listed",
                format!(
                    "This proxy connects to {host} at port {at} alone, not {port}. Ask your administrator to list the port."
                ),
            );
        }
        refuse(
            "host_not_listed",
            format!(
                "This proxy does not connect to {host}. Leave it out of the proxy with NO_PROXY={host}, or ask your administrator to list it as `tunnel` under `[forward]`."
            ),
        )
    }

    fn is_own(&self, target: &Target) -> bool {
        self.own_hosts.contains(&target.host)
            || matches!(target.host, Host::Ip(ip) if self.own.contains(&SocketAddr::new(ip, target.port)))
    }
}

/// Whether a host is of this machine or a network around it, as far as its spelling tells.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Ip(ip) => address::refused(*ip).is_some(),
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
    }
}

impl Target {
    /// `host`, or `host:port` for another port than that of https.
    pub(super) fn authority(&self) -> String {
        match self.port {
            HTTPS => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// Whether an authority names this place. Without a port, it is that of https.
    fn is(&self, authority: &str) -> bool {
        Place::parse(authority).is_some_and(|p| p.host == self.host && p.port.unwrap_or(HTTPS) == self.port)
    }
}

/// The whole address of a request inside, when it is one for the tunnel's own place.
pub(super) fn inner_uri(target: &Target, head: &Parts) -> Result<Uri, Refusal> {
    let refuse = |status, reason, message: &str| Err(Refusal::new(status, reason, message));
    if head.method == Method::CONNECT {
        return refuse(
            StatusCode::BAD_REQUEST,
            "connect_inside",
            "There is no tunnel within a tunnel.",
        );
    }
    let hosts: Vec<_> = head.headers.get_all(HOST).iter().collect();
    let authority = head.uri.authority();
    if hosts.len() > 1 || (hosts.is_empty() && authority.is_none()) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "ambiguous_host",
            "A request names its host once.",
        );
    }
    let agrees = authority.is_none_or(|a| target.is(a.as_str()))
        && hosts.iter().all(|h| h.to_str().is_ok_and(|h| target.is(h)))
        && head.uri.scheme_str().is_none_or(|s| s == "https");
    if !agrees {
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected",
            "This connection is for another host. Open one of its own.",
        );
    }
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
    let uri = Uri::builder()
        .scheme("https")
        .authority(target.authority())
        .path_and_query(path)
        .build();
    uri.or_else(|_| {
        refuse(
            StatusCode::BAD_REQUEST,
            "malformed_path",
            "The request's path cannot be read.",
        )
    })
}

#[cfg(test)]
#[path = "tests/connect.rs"]
mod tests;
