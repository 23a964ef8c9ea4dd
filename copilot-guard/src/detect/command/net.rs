//! Programs of the network: where they send to, what they send, and what they bring.

use super::super::network::is_data_label;
use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, Word};
use super::{hosts, paths};

/// What makes data worth nothing to others: nothing of files, secrets or this machine.
pub(super) const ANY: u8 = Flow::DATA | Flow::SECRET | Flow::MACHINE;

/// Something goes to a host that is not ours.
pub(super) fn sends(call: &Call<'_>, out: &mut Outcome) {
    let _ = call;
    out.judgement
        .block("exfiltration/upload", "sends data to a host that is not ours");
}

/// Something comes from a host: it may be run later.
pub(super) fn brings(call: &Call<'_>, is_foreign: bool, target: Option<&Word>, out: &mut Outcome) {
    let bits = if is_foreign { Flow::DOWNLOAD } else { Flow::FETCHED };
    if is_foreign {
        out.judgement
            .approve("exfiltration/request", "asks a host that is not ours");
    }
    match target {
        Some(file) if file.text != "-" && !file.text.starts_with("/dev/std") => {
            paths::write(&mut out.judgement, call.world.folder, file);
            out.files.push((file.text.clone(), Flow::of(bits)));
        }
        _ => out.out.add(bits),
    }
}

/// The last part of an address, as downloads are named.
pub(super) fn last_part(url: &str) -> &str {
    url.split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

/// Whether the address itself carries what was read here.
pub(super) fn carries(call: &Call<'_>) -> bool {
    call.world.tainted & (Flow::SECRET | Flow::MACHINE | Flow::DATA) != 0
}

/// `http` posts when there is something to post.
fn has_vote_method(method: Option<&str>, operands: usize) -> bool {
    method.map_or(operands > 1, |method| {
        !matches!(method, "GET" | "HEAD" | "OPTIONS")
    })
}

/// Judges what is sent to where people answer: an agent does not vote on what it asked for.
pub(super) fn vote(url: &Word, out: &mut Outcome) {
    if hosts::is_vote(&url.text) {
        out.judgement
            .block("self-approval/vote", "answers what people are asked");
    }
}

/// `wget` and other programs that download to files.
pub(super) fn wget(call: &Call<'_>, out: &mut Outcome) {
    let short = "OPoaetTwQUABDRlixd";
    let long = [
        "output-document",
        "directory-prefix",
        "post-file",
        "post-data",
        "body-file",
        "body-data",
        "method",
        "header",
        "user",
        "password",
        "execute",
        "input-file",
        "use-askpass",
        "config",
        "tries",
        "timeout",
        "user-agent",
        "out",
        "dir",
        "all-proxy",
        "http-proxy",
        "https-proxy",
        "limit-rate",
        "referer",
    ];
    let options = Options::read(call.args, short, &long);
    let is_foreign = options.operands.iter().any(|url| hosts::is_foreign(call.cx, url));
    for file in options.values(&["post-file", "body-file"]) {
        let bits = paths::read(&mut out.judgement, call.world.folder, file);
        if bits & Flow::SECRET != 0 {
            out.judgement
                .block("exfiltration/secret", "sends a file with secrets");
        }
    }
    if is_foreign
        && (options.has(&["post-file", "post-data", "body-file", "body-data"])
            || options
                .values(&["method"])
                .iter()
                .any(|m| !m.text.eq_ignore_ascii_case("get"))
            || carries(call))
    {
        sends(call, out);
    }
    let is_sent = options.has(&["post-file", "post-data", "body-file", "body-data", "method"]);
    let voted = options.operands.iter().filter(|_| is_sent);
    voted.for_each(|url| vote(url, out));
    for setting in options.values(&["e", "execute"]) {
        let lower = setting.text.to_ascii_lowercase();
        if lower.contains("proxy") || lower.contains("askpass") {
            out.judgement
                .block("exfiltration/proxy", "sends traffic by a host that is not ours");
        }
    }
    for proxy in options.values(&["all-proxy", "http-proxy", "https-proxy"]) {
        if hosts::is_foreign(call.cx, proxy) {
            out.judgement
                .block("exfiltration/proxy", "sends traffic by a host that is not ours");
        }
    }
    if options.has(&["use-askpass"]) {
        out.judgement
            .block("remote-code/command-option", "an option that runs a command");
    }
    if options.has(&["i", "input-file"]) && call.name == "wget" {
        out.judgement
            .approve("unclear/configuration", "takes its orders from a file");
    }
    if options.has(&["no-proxy"]) {
        out.judgement
            .approve("self-approval/proxy", "goes past the proxy");
    }
    let outputs = options.values(&[
        "O",
        "output-document",
        "out",
        if call.name == "wget" { "O" } else { "o" },
    ]);
    for url in &options.operands {
        let name = Word::known(last_part(&url.text));
        brings(
            call,
            is_foreign,
            Some(outputs.first().copied().unwrap_or(&name)),
            out,
        );
        let is_stdout = call
            .args
            .iter()
            .any(|arg| arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.ends_with("O-"));
        if is_stdout || outputs.first().is_some_and(|file| file.text == "-") {
            out.out
                .add(if is_foreign { Flow::DOWNLOAD } else { Flow::FETCHED });
        }
    }
}

/// `http`, `https`, `xh`.
pub(super) fn httpie(call: &Call<'_>, out: &mut Outcome) {
    let operands: Vec<&Word> = call
        .args
        .iter()
        .filter(|arg| !arg.text.starts_with('-'))
        .collect();
    let is_method = |word: &&&Word| word.text.bytes().all(|b| b.is_ascii_uppercase()) && word.text.len() > 2;
    let method = operands.first().filter(is_method).map(|word| word.text.clone());
    let url = operands.get(usize::from(method.is_some()));
    // `:3000/path` is this machine.
    let is_foreign = url.is_some_and(|url| {
        let is_local = url
            .text
            .strip_prefix(':')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '/'));
        (!is_local || url.text.contains('@')) && hosts::is_foreign(call.cx, url)
    });
    if let Some(url) = url.filter(|_| has_vote_method(method.as_deref(), operands.len())) {
        vote(url, out);
    }
    let has_body = operands
        .iter()
        .skip(1 + usize::from(method.is_some()))
        .any(|item| item.text.contains(['=', '@']) && !item.text.contains("=="));
    if is_foreign
        && (has_body
            || method.as_deref().is_some_and(|m| m != "GET" && m != "HEAD")
            || call.stdin.has(ANY)
            || carries(call))
    {
        sends(call, out);
    }
    if url.is_some() {
        brings(call, is_foreign, None, out);
    }
}

/// Plain connections: `nc`, `socat`, `telnet`, `ftp`.
pub(super) fn socket(call: &Call<'_>, out: &mut Outcome) {
    let args = call.args;
    let has = |flags: &[&str]| args.iter().any(|arg| flags.contains(&arg.text.as_str()));
    let cluster = |c: char| {
        args.iter()
            .any(|arg| arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.contains(c))
    };
    if call.name == "nc" && (cluster('e') || cluster('c') || has(&["--exec", "--sh-exec", "--lua-exec"])) {
        out.judgement
            .block("exfiltration/shell-socket", "a shell over a connection");
    }
    let is_socat_shell = |arg: &Word| {
        let lower = arg.text.to_ascii_lowercase();
        lower.starts_with("exec:")
            || lower.starts_with("system:")
            || lower.starts_with("shell:")
            || lower.contains("pty")
    };
    if call.name == "socat" && args.iter().any(is_socat_shell) {
        out.judgement
            .block("exfiltration/shell-socket", "a shell over a connection");
    }
    let is_listening = (call.name == "nc" && cluster('l'))
        || args
            .iter()
            .any(|arg| arg.text.to_ascii_lowercase().contains("listen"));
    let is_scan = call.name == "nc" && cluster('z');
    let host = args.iter().find(|arg| {
        !arg.text.starts_with('-')
            && arg
                .text
                .bytes()
                .any(|b| b.is_ascii_alphabetic() || b == b'.' || b == b':')
    });
    let is_foreign = match (call.name, host) {
        ("socat", _) => args.iter().any(|arg| {
            let lower = arg.text.to_ascii_lowercase();
            let target = [
                "tcp:",
                "tcp4:",
                "tcp6:",
                "udp:",
                "openssl:",
                "ssl:",
                "tcp-connect:",
                "openssl-connect:",
                "udp-sendto:",
                "udp4:",
                "socks4:",
                "proxy:",
            ]
            .iter()
            .find_map(|kind| lower.strip_prefix(kind));
            target.is_some_and(|target| hosts::is_foreign(call.cx, &Word::known(target)))
        }),
        (_, Some(host)) => hosts::is_foreign(call.cx, host),
        (_, None) => !args.is_empty() && !is_listening,
    };
    if is_listening {
        out.judgement
            .approve("exfiltration/server", "waits for connections");
    }
    if is_foreign {
        let reads_file = args.iter().any(|arg| {
            arg.text.to_ascii_lowercase().starts_with("file:")
                || arg.text.to_ascii_lowercase().starts_with("open:")
        });
        let is_transfer = matches!(
            call.name,
            "ftp" | "lftp" | "ncftp" | "ncftpput" | "tftp" | "smbclient"
        );
        if call.stdin.has(ANY)
            || call.stdin.text.is_some()
            || reads_file
            || carries(call)
            || is_transfer && !call.stdin.is_empty()
            || has(&["-c", "put"]) && is_transfer
            || call.name == "ncftpput"
        {
            out.judgement
                .block("exfiltration/connection", "sends data to a host that is not ours");
        } else if !is_scan || !is_transfer {
            out.judgement.approve(
                "exfiltration/connection",
                "a connection to a host that is not ours",
            );
        }
    }
    out.out
        .add(if is_foreign { Flow::DOWNLOAD } else { Flow::FETCHED });
}

/// Copies between machines.
pub(super) fn copy(call: &Call<'_>, out: &mut Outcome) {
    if matches!(call.name, "croc" | "wormhole" | "magic-wormhole") {
        sends(call, out);
        return;
    }
    if matches!(call.name, "restic" | "borg" | "kopia" | "duplicity") {
        let only_looks = call.args.iter().any(|arg| {
            matches!(
                arg.text.as_str(),
                "snapshots" | "list" | "info" | "version" | "--version" | "--help"
            )
        });
        if !only_looks {
            out.judgement
                .approve("exfiltration/backup", "copies folders to a store of backups");
        }
        return;
    }
    if call.name == "rclone" {
        let writes = call.args.iter().any(|arg| {
            matches!(
                arg.text.as_str(),
                "copy" | "sync" | "move" | "copyto" | "moveto" | "rcat" | "serve" | "mount"
            )
        });
        if writes {
            out.judgement
                .block("exfiltration/upload", "copies to a remote store");
        }
        return;
    }
    let options = Options::read(
        call.args,
        if call.name == "rsync" {
            "efTBM"
        } else {
            "cFiJloPSXbB"
        },
        &[
            "rsh",
            "rsync-path",
            "exclude",
            "include",
            "filter",
            "files-from",
            "password-file",
            "log-file",
            "port",
            "bwlimit",
            "out-format",
            "temp-dir",
            "exclude-from",
            "link-dest",
        ],
    );
    for setting in options.values(&["o"]) {
        hosts::ssh_option(call.cx, setting, call.stdin, &mut out.judgement);
    }
    if options.has(&["S"]) && call.name != "rsync" {
        out.judgement
            .block("remote-code/command-option", "an option that runs a command");
    }
    let is_remote = |word: &Word| {
        let text = word.text.as_str();
        let before = text.split('/').next().unwrap_or_default();
        before.contains(':') && before.len() > 2 || hosts::is_url(text) || text.contains("::")
    };
    if call.name == "sftp" {
        let is_foreign = options
            .operands
            .first()
            .is_some_and(|host| hosts::is_foreign(call.cx, host));
        if is_foreign && (!call.stdin.is_empty() || options.has(&["b"])) {
            sends(call, out);
        } else if is_foreign {
            out.judgement.approve(
                "exfiltration/connection",
                "a connection to a host that is not ours",
            );
        }
        return;
    }
    let Some((target, sources)) = options.operands.split_last() else {
        return;
    };
    let mut bits = 0;
    for source in sources.iter().filter(|source| !is_remote(source)) {
        bits |= paths::read(&mut out.judgement, call.world.folder, source);
    }
    let is_local = !is_remote(target);
    if !is_local {
        if hosts::is_foreign(call.cx, target) {
            sends(call, out);
        } else if bits & Flow::SECRET != 0 {
            out.judgement
                .approve("exfiltration/secret", "copies secrets to another machine");
        }
        return;
    }
    let from = sources
        .iter()
        .filter(|source| is_remote(source))
        .any(|source| hosts::is_foreign(call.cx, source));
    let is_fetch = sources.iter().any(|source| is_remote(source));
    if is_fetch {
        brings(call, from, Some(target), out);
    } else {
        paths::write(&mut out.judgement, call.world.folder, target);
        for source in sources {
            let name = source
                .text
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default();
            let inner = format!("{}/{name}", target.text.trim_end_matches('/'));
            paths::write(&mut out.judgement, call.world.folder, &Word::known(inner));
        }
        if call.name == "rsync" && options.has(&["delete"]) {
            super::delete::removed(call, target, true, out);
        }
    }
}

/// Programs that look names up: a name can carry data.
pub(super) fn name(call: &Call<'_>, out: &mut Outcome) {
    for arg in call
        .args
        .iter()
        .filter(|arg| !arg.text.starts_with('-') && arg.text.len() > 1)
    {
        let text = arg.text.trim_start_matches('@');
        if text.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let is_odd = text
            .split('.')
            .any(|label| is_odd_label(label) || is_data_label(label))
            || text.len() > 100;
        let is_foreign = hosts::is_foreign(call.cx, &Word::known(text));
        if arg.dynamic && (call.world.is_substituted || carries(call)) || (is_odd && is_foreign) {
            out.judgement
                .block("exfiltration/name", "data in the name of a host");
        } else if arg.dynamic {
            out.judgement.approve(
                "exfiltration/name",
                "a name that is only known when it is looked up",
            );
        }
    }
    if matches!(call.name, "dig" | "nslookup" | "host")
        && call.args.iter().any(|arg| arg.text.eq_ignore_ascii_case("txt"))
    {
        out.judgement
            .approve("exfiltration/name", "asks for text by a name");
        out.out.add(Flow::DOWNLOAD);
    }
    if call.name == "ping" && call.args.iter().any(|arg| arg.text == "-p")
        || matches!(call.name, "whois" | "finger") && (call.args.len() > 2 || carries(call))
    {
        out.judgement.block("exfiltration/name", "data in a packet");
    }
    out.out.add(Flow::DATA);
}

/// Whether a label of a name looks like encoded data.
fn is_odd_label(label: &str) -> bool {
    let digits = label.bytes().filter(u8::is_ascii_digit).count();
    let is_mixed =
        label.bytes().any(|b| b.is_ascii_uppercase()) && label.bytes().any(|b| b.is_ascii_lowercase());
    let is_hex = label.len() >= 16 && label.bytes().all(|b| b.is_ascii_hexdigit());
    label.len() > 40 || is_hex || (label.len() >= 20 && (digits > 3 || is_mixed))
}

/// Mail leaves.
pub(super) fn mail(call: &Call<'_>, out: &mut Outcome) {
    let is_asking = call
        .args
        .iter()
        .all(|arg| matches!(arg.text.as_str(), "-V" | "--version" | "--help"));
    if !is_asking || !call.stdin.is_empty() {
        out.judgement.block("exfiltration/mail", "sends mail");
    }
}

/// Tunnels into this network.
pub(super) fn tunnel(call: &Call<'_>, out: &mut Outcome) {
    let is_asking = call.args.iter().all(|arg| {
        matches!(
            arg.text.as_str(),
            "version" | "--version" | "-v" | "help" | "--help" | "status"
        )
    });
    if !is_asking {
        out.judgement
            .block("exfiltration/tunnel", "a tunnel into this network");
    }
}

/// Browsers ask for addresses as well.
pub(super) fn browser(call: &Call<'_>, out: &mut Outcome) {
    for url in call.args.iter().filter(|arg| {
        hosts::is_url(&arg.text)
            || matches!(call.name, "lynx" | "w3m" | "links" | "elinks") && !arg.text.starts_with('-')
    }) {
        if hosts::is_foreign(call.cx, url) {
            if carries(call) || call.stdin.has(ANY) {
                sends(call, out);
            }
            brings(call, true, None, out);
        }
    }
}
