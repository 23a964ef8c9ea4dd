//! `[server]`: where it listens and how it refuses.

use std::net::SocketAddr;
use std::path::PathBuf;

use copilot_guard::policy::reader::{Located, Table, Value};

use super::Context;

/// Where the gateway listens.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// The data plane.
    pub(crate) listen: SocketAddr,
    /// Approvals, audit, metrics and health.
    pub(crate) admin_listen: SocketAddr,
    pub(crate) tls: Option<Tls>,
    /// In forward mode: the CA that signs the certificates of intercepted hosts.
    pub(crate) ca: Option<Tls>,
    pub(crate) refusal: Refusal,
    /// Where clients reach the data plane, when Copilot clients ask where to go.
    pub(crate) public_url: Option<String>,
    /// The largest request that is read.
    pub(crate) max_request_bytes: u64,
}

/// A certificate chain and its private key.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// The form of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An error in the caller's dialect, status 400.
    Error,
    /// Status 200 and the reason as the assistant's text.
    AssistantText,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Reverse,
    Forward,
}

const MAX_REQUEST: u64 = 32 << 20;

pub(super) fn read(context: &Context<'_>, mut table: Table<'_>) -> Option<Server> {
    let listen = address(
        context,
        table.require("listen", "write `listen = \"127.0.0.1:8080\"`"),
    );
    let admin = address(
        context,
        table.require("admin_listen", "write `admin_listen = \"127.0.0.1:8081\"`"),
    );
    let mode = table
        .take("mode")
        .and_then(|v| v.one_of(&[("reverse", Mode::Reverse), ("forward", Mode::Forward)]));
    let ca_at = table.at_key("ca");
    let ca = table.take("ca").map(|v| v.table().and_then(|t| tls(context, t)));
    let tls = table.take("tls").map(|v| v.table().and_then(|t| tls(context, t)));
    let refusals = [
        ("error", Refusal::Error),
        ("assistant-text", Refusal::AssistantText),
    ];
    let refusal = table.take("refusal").and_then(|v| v.one_of(&refusals));
    let public_url = table
        .take("public_url")
        .and_then(Value::string)
        .and_then(|text| context.url(&text, true))
        .map(|url| url.to_string());
    let max = table.take("max_request_bytes").and_then(Value::bytes);
    let is_forward = mode.is_some_and(|m| m.value == Mode::Forward);
    if is_forward && ca.is_none() {
        context.add(
            &ca_at,
            "`ca` is missing",
            "clients are shown certificates that it signs",
            "write `ca = { cert = \"guard-ca.pem\", key = \"guard-ca.key\" }`; `ca init` makes both",
        );
    }
    if !is_forward && ca.is_some() {
        let mend = "leave it out, or write `mode = \"forward\"`";
        context.warn(
            &ca_at,
            "`ca` is not used",
            "the reverse mode makes no certificates",
            mend,
        );
    }
    if let Some(listen) = listen.as_ref().filter(|l| !l.value.ip().is_loopback())
        && is_forward
        && tls.is_none()
    {
        context.add(
            &listen.at,
            "the proxy would listen in the clear beyond loopback",
            "every `CONNECT` carries a token",
            "add `tls = { cert = \"…\", key = \"…\" }`, or listen on 127.0.0.1",
        );
    }
    if let (Some(listen), Some(admin)) = (&listen, &admin)
        && same_place(listen.value, admin.value)
    {
        context.add(
            &admin.at,
            "the admin listener is the data plane's",
            "reviewers and auditors must not be reached from the data plane",
            "give it another port",
        );
    }
    if let Some(max) = max.as_ref().filter(|m| m.value == 0) {
        context.add(
            &max.at,
            "no request would fit",
            "the limit is 0",
            "write a limit such as \"32MiB\"",
        );
    }
    table.finish();
    let listen = listen?.value;
    Some(Server {
        listen,
        admin_listen: admin?.value,
        // A free port is known only later, and an unspecified address leads nowhere.
        public_url: public_url.or_else(|| {
            let scheme = if tls.is_some() { "https" } else { "http" };
            let leads_here = listen.port() != 0 && !listen.ip().is_unspecified();
            leads_here.then(|| format!("{scheme}://{listen}"))
        }),
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
        ca: match ca.filter(|_| is_forward) {
            Some(ca) => Some(ca?),
            None => None,
        },
        refusal: refusal.map_or(Refusal::Error, |r| r.value),
        max_request_bytes: max.map_or(MAX_REQUEST, |m| m.value),
    })
}

fn address(context: &Context<'_>, value: Option<Value<'_>>) -> Option<Located<SocketAddr>> {
    let text = value?.string()?;
    match text.value.parse() {
        Ok(value) => Some(Located {
            value,
            at: text.at,
            from: text.from,
        }),
        Err(_) => {
            let why = "a listener needs an IP address and a port";
            let what = format!("{} is not a place to listen", text.shown());
            context.add(&text.at, what, why, "write one such as \"127.0.0.1:8080\"");
            None
        }
    }
}

/// Whether both would bind the same port. Port 0 is a free one each time.
fn same_place(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && overlap
}

fn tls(context: &Context<'_>, mut table: Table<'_>) -> Option<Tls> {
    let cert = context.text(&mut table, "cert", "name the file with the certificate chain");
    let key = context.text(&mut table, "key", "name the file with the private key");
    table.finish();
    Some(Tls {
        cert: context.path(cert?)?,
        key: context.path(key?)?,
    })
}
