//! `curl`: where it sends to by any of its options, what it sends, and what it brings.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::net::{ANY, brings, carries, last_part, sends};
use super::opts::Options;
use super::words::{Note, Word};
use super::{hosts, paths};

const SHORT: &str = "AbcCdDeEFHhKmoPQrTtuUwxXyYz";
const LONG: &[&str] = &[
    "data",
    "data-ascii",
    "data-binary",
    "data-raw",
    "data-urlencode",
    "json",
    "form",
    "form-string",
    "upload-file",
    "output",
    "output-dir",
    "request",
    "header",
    "user",
    "user-agent",
    "referer",
    "cookie",
    "cookie-jar",
    "proxy",
    "preproxy",
    "socks5",
    "socks5-hostname",
    "socks4",
    "socks4a",
    "proxy-user",
    "config",
    "url",
    "connect-to",
    "resolve",
    "dns-servers",
    "doh-url",
    "interface",
    "max-time",
    "connect-timeout",
    "retry",
    "retry-delay",
    "retry-max-time",
    "range",
    "cacert",
    "capath",
    "cert",
    "key",
    "cert-type",
    "key-type",
    "limit-rate",
    "write-out",
    "unix-socket",
    "abstract-unix-socket",
    "netrc-file",
    "quote",
    "mail-from",
    "mail-rcpt",
    "ftp-port",
    "aws-sigv4",
    "oauth2-bearer",
    "url-query",
    "trace",
    "trace-ascii",
    "dump-header",
    "stderr",
    "engine",
    "variable",
    "expand-data",
    "expand-url",
    "etag-save",
    "etag-compare",
    "hostpubsha256",
    "ciphers",
    "max-filesize",
    "max-redirs",
    "speed-limit",
    "speed-time",
    "libcurl",
];

/// Judges `curl`.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    let options = Options::read(call.args, SHORT, LONG);
    let mut urls: Vec<&Word> = options.operands.clone();
    urls.extend(options.values(&["url", "expand-url"]));
    let is_loopback_socket = options.has(&["unix-socket", "abstract-unix-socket"]);
    let sockets = options.values(&["unix-socket", "abstract-unix-socket"]);
    let rules_machine = sockets.iter().any(|socket| {
        let bits = [
            "docker",
            "podman",
            "containerd",
            "crio",
            "lxd",
            "snapd",
            "systemd",
            "libvirt",
        ];
        socket.dynamic || bits.iter().any(|word| socket.text.contains(word))
    });
    let changes = [
        "d",
        "data",
        "data-raw",
        "data-binary",
        "data-ascii",
        "json",
        "T",
        "upload-file",
        "F",
        "form",
    ];
    if rules_machine && (options.has(&changes) || options.has(&["X", "request"])) {
        out.judgement.block(
            "privilege/container-socket",
            "gives orders to what runs containers with all rights",
        );
    }
    let mut is_foreign = urls
        .iter()
        .any(|url| hosts::is_foreign(call.cx, url) && !url.text.starts_with("file:"))
        && !is_loopback_socket;
    if options.has(&["config"]) || options.has(&["K"]) {
        is_foreign = true;
        out.judgement
            .approve("unclear/configuration", "takes its orders from a file");
        for file in options.values(&["K", "config"]) {
            let known = call
                .world
                .file(&file.text)
                .or(Some(call.stdin))
                .and_then(|flow| flow.text.as_deref());
            if known.is_some_and(|text| {
                ["data", "upload-file", "form"]
                    .iter()
                    .any(|word| text.contains(word))
            }) {
                sends(call, out);
            }
        }
    }
    for elsewhere in options.values(&["connect-to", "resolve"]) {
        // HOST:PORT:HOST:PORT, and HOST:PORT:ADDRESS.
        let target = elsewhere
            .text
            .trim_start_matches('+')
            .splitn(3, ':')
            .nth(2)
            .unwrap_or_default();
        is_foreign |= hosts::is_foreign(
            call.cx,
            &Word::known(target.split(',').next().unwrap_or_default()),
        );
    }
    for proxy in options.values(&[
        "x",
        "proxy",
        "preproxy",
        "socks5",
        "socks5-hostname",
        "socks4",
        "socks4a",
        "doh-url",
        "dns-servers",
    ]) {
        if !proxy.text.is_empty() && hosts::is_foreign(call.cx, proxy) {
            is_foreign = true;
            out.judgement
                .block("exfiltration/proxy", "sends traffic by a host that is not ours");
        }
    }
    if options.has(&["noproxy"]) && options.values(&["noproxy"]).iter().any(|v| v.text == "*")
        || call
            .args
            .iter()
            .any(|arg| arg.text == "--noproxy" || arg.text == "--noproxy=*")
    {
        out.judgement
            .approve("self-approval/proxy", "goes past the proxy");
    }
    let bodies = options.values(&[
        "d",
        "data",
        "data-ascii",
        "data-binary",
        "data-urlencode",
        "json",
        "F",
        "form",
        "T",
        "upload-file",
        "data-raw",
        "form-string",
        "url-query",
        "variable",
    ]);
    let method = options
        .values(&["X", "request"])
        .first()
        .map_or(String::new(), |m| m.text.to_uppercase());
    let is_upload = !bodies.is_empty() || matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
    urls.iter()
        .filter(|_| is_upload)
        .for_each(|url| super::net::vote(url, out));
    for body in &bodies {
        for file in body
            .text
            .split(';')
            .next()
            .and_then(|text| text.split_once(['@', '<']))
            .map(|(_, file)| file)
            .into_iter()
        {
            let bits = paths::read(&mut out.judgement, call.world.folder, &Word::known(file));
            if bits & Flow::SECRET != 0 {
                out.judgement
                    .block("exfiltration/secret", "sends a file with secrets");
            }
        }
    }
    for file in options.values(&["T", "upload-file"]) {
        let bits = paths::read(&mut out.judgement, call.world.folder, file);
        if bits & Flow::SECRET != 0 {
            out.judgement
                .block("exfiltration/secret", "sends a file with secrets");
        }
    }
    for url in urls
        .iter()
        .filter(|url| url.text.to_ascii_lowercase().starts_with("file:"))
    {
        let bits = paths::read(&mut out.judgement, call.world.folder, url);
        out.out.add(bits | Flow::DATA);
    }
    if is_foreign {
        let has_credentials = options.has(&["n", "netrc", "netrc-file"]);
        if is_upload
            || carries(call)
            || call.stdin.has(ANY)
                && call
                    .args
                    .iter()
                    .any(|arg| arg.text.contains("@-") || arg.text == "-T-")
            || has_credentials
        {
            sends(call, out);
        }
    } else if is_upload && call.world.tainted & Flow::SECRET != 0 && urls.is_empty() {
        sends(call, out);
    }
    if urls.is_empty() && !options.has(&["K", "config"]) {
        return;
    }
    let outputs = options.values(&["o", "output"]);
    let is_remote_name = options.has(&["O", "remote-name", "remote-name-all", "J"]);
    for (at, url) in urls.iter().enumerate() {
        let name = Word::known(last_part(&url.text));
        let target = outputs
            .get(at)
            .or(outputs.first())
            .copied()
            .or(is_remote_name.then_some(&name));
        brings(call, is_foreign, target, out);
    }
    if options.has(&["k", "insecure"]) && is_foreign {
        out.judgement
            .approve("privilege/unchecked-tls", "certificates are not checked");
    }
}
