//! Configuration of git that runs commands, or sends code elsewhere.

use super::argv::{Call, Outcome};
use super::git::{has, is_own};
use super::words::{Note, Word};
use super::{hosts, wrappers};

/// Keys of the configuration whose value runs, or decides what does. Parts, in lower case.
const RUNNING_KEYS: &[&str] = &[
    "core.pager",
    "core.editor",
    "core.sshcommand",
    "core.gitproxy",
    "core.hookspath",
    "core.fsmonitor",
    "core.askpass",
    "core.alternaterefscommand",
    "core.worktree",
    "sequence.editor",
    "diff.external",
    ".textconv",
    ".command",
    ".driver",
    ".clean",
    ".smudge",
    ".process",
    "gpg.program",
    ".program",
    "credential.helper",
    ".helper",
    "uploadpack.packobjectshook",
    ".uploadpack",
    ".receivepack",
    ".vcs",
    "protocol.ext.allow",
    ".cmd",
    "pager.",
    "alias.",
    "web.browser",
    "browser.",
    "interactive.difffilter",
    "include.path",
    "includeif.",
    "filter.",
    "sendemail.",
    "init.templatedir",
    "ssh.variant",
    "trailer.",
    "man.",
    "http.proxy",
    "remote.",
    ".insteadof",
    ".pushinsteadof",
    "http.sslverify",
    "merge.",
    "difftool.",
    "mergetool.",
];

/// One `key=value` of the configuration.
pub(super) fn setting(call: &Call<'_>, setting: &Word, out: &mut Outcome) {
    let (key, value) = setting.text.split_once('=').unwrap_or((&setting.text, ""));
    let value = Word {
        text: value.to_owned(),
        dynamic: setting.dynamic,
    };
    key_value(call, key, &value, out);
}

fn key_value(call: &Call<'_>, key: &str, value: &Word, out: &mut Outcome) {
    let key = key.to_ascii_lowercase();
    let is_running = RUNNING_KEYS.iter().any(|known| {
        if known.starts_with('.') {
            key.ends_with(known)
        } else {
            key.starts_with(known)
        }
    });
    if !is_running {
        return;
    }
    let text = value.text.as_str();
    match key.as_str() {
        "http.sslverify" => {
            if matches!(text, "false" | "0" | "no") {
                out.judgement
                    .approve("privilege/unchecked-tls", "certificates are not checked");
            }
        }
        "http.proxy" => {
            if !text.is_empty() && hosts::is_foreign(call.cx, value) {
                out.judgement
                    .block("exfiltration/proxy", "sends traffic by a host that is not ours");
            }
        }
        "core.hookspath" => {
            if text != "/dev/null" {
                out.judgement
                    .block("persistence/git-hooks", "hooks from another folder");
            }
        }
        "credential.helper"
            if matches!(
                text,
                "" | "cache" | "osxkeychain" | "manager" | "libsecret" | "wincred" | "store"
            ) =>
        {
            if text == "store" {
                out.judgement
                    .approve("credential-access/git", "keeps credentials in plain text");
            }
        }
        "protocol.ext.allow" => out
            .judgement
            .block("remote-code/git-option", "an address may run commands"),
        _ if key.ends_with("insteadof") => {
            let address = key
                .strip_prefix("url.")
                .and_then(|k| k.rsplit_once('.'))
                .map_or("", |(address, _)| address);
            if !is_own(call, address) {
                out.judgement.block(
                    "exfiltration/git-remote",
                    "sends code to a remote that is not ours",
                );
            }
        }
        _ if key.starts_with("remote.") => {
            if key.ends_with("url") && !is_own(call, text) {
                out.judgement
                    .approve("exfiltration/git-remote", "a remote that is not ours");
                out.has_foreign_remote = true;
            }
        }
        _ if key.starts_with("alias.") => {
            if let Some(script) = text.strip_prefix('!') {
                out.script(call, script);
                out.judgement
                    .approve("remote-code/git-option", "an alias that runs a command");
            }
        }
        _ if key.starts_with("merge.")
            || key.starts_with("filter.lfs")
            || key.starts_with("trailer.")
            || key.starts_with("pager.") =>
        {
            if key.ends_with(".driver") || (!matches!(text, "true" | "false") && key.starts_with("pager.")) {
                wrappers::option_script(call, value, out);
            }
        }
        "core.fsmonitor" if matches!(text, "true" | "false" | "") => {}
        "core.worktree" => {}
        "core.pager" | "core.editor" | "sequence.editor" => wrappers::option_script(call, value, out),
        "gpg.program" if matches!(text, "gpg" | "gpg2") => {}
        _ => {
            wrappers::option_script(call, value, out);
            out.judgement
                .approve("remote-code/git-option", "configuration that runs a command");
        }
    }
}

/// Judges `git config`.
pub(super) fn config(call: &Call<'_>, args: &[Word], out: &mut Outcome) {
    let operands: Vec<&Word> = args
        .iter()
        .filter(|arg| !arg.text.starts_with('-') && arg.text != "set" && arg.text != "unset")
        .collect();
    let is_reading = has(
        args,
        &[
            "--get",
            "--get-all",
            "-l",
            "--list",
            "--get-regexp",
            "get",
            "list",
            "--show-origin",
        ],
    );
    if let ([key, value, ..], false) = (operands.as_slice(), is_reading) {
        key_value(call, &key.text, value, out);
        let lower = key.text.to_ascii_lowercase();
        if ["core.pager", "core.editor", "sequence.editor"].contains(&lower.as_str())
            && value.text.contains(['/', ' ', ';', '|'])
        {
            out.judgement
                .approve("persistence/git-config", "configuration that runs a command");
        }
    }
    if has(args, &["--edit", "-e"]) {
        out.judgement
            .approve("persistence/git-config", "edits the configuration");
    }
}
