//! `git`: where code goes, what configuration runs, and what is lost.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::git_config::{config, setting};
use super::opts::Options;
use super::words::{Note, Word};
use super::{hosts, paths, wrappers};

const GLOBAL_VALUES: &[&str] = &[
    "-C",
    "-c",
    "--git-dir",
    "--work-tree",
    "--namespace",
    "--config-env",
    "--super-prefix",
];

/// Judges a git command.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    let mut at = 0;
    while let Some(arg) = call.args.get(at).filter(|arg| arg.text.starts_with('-')) {
        let text = arg.text.as_str();
        if GLOBAL_VALUES.contains(&text) {
            let value = call.args.get(at + 1);
            if let Some(value) = value.filter(|_| matches!(text, "-c" | "--config-env")) {
                setting(call, value, out);
            }
            at += 1;
        } else if let Some(value) = text.strip_prefix("--config-env=") {
            setting(call, &Word::known(value), out);
        } else if text.starts_with("--exec-path=") {
            out.judgement
                .block("remote-code/git-option", "programs of git from another folder");
        }
        at += 1;
    }
    let Some((verb, args)) = call.args.get(at..).and_then(<[Word]>::split_first) else {
        return;
    };
    out.out.add(Flow::DATA);
    running_options(call, args, out);
    match verb.text.as_str() {
        "push" => push(call, args, out),
        "remote" => remote(call, args, out),
        "config" => config(call, args, out),
        "clone" | "fetch" | "pull" | "ls-remote" | "submodule" | "subtree" => {
            fetch(call, &verb.text, args, out)
        }
        "reset" if has(args, &["--hard", "--merge"]) => {
            out.judgement.approve("destructive/git", "throws changes away")
        }
        "clean" if has_letter(args, 'f') || has(args, &["--force"]) => {
            if !has_letter(args, 'n') {
                out.judgement
                    .approve("destructive/git", "deletes files that are not tracked");
            }
        }
        "checkout" | "restore" => {
            let throws = args
                .iter()
                .any(|arg| matches!(arg.text.as_str(), "." | ":/" | "-f" | "--force" | "*"));
            let is_staged = has(args, &["--staged"]) && !has(args, &["--worktree"]);
            if throws && !is_staged {
                out.judgement.approve("destructive/git", "throws changes away");
            }
        }
        "branch" if has(args, &["-D"]) || has(args, &["--delete"]) && has(args, &["--force"]) => {
            out.judgement
                .approve("destructive/git", "deletes a branch that may not be merged");
        }
        "filter-branch" | "filter-repo" => {
            out.judgement
                .approve("destructive/git-history", "rewrites the whole history");
            for script in Options::read(
                args,
                "",
                &[
                    "tree-filter",
                    "index-filter",
                    "msg-filter",
                    "env-filter",
                    "commit-filter",
                    "setup",
                    "tag-name-filter",
                ],
            )
            .values(&[
                "tree-filter",
                "index-filter",
                "msg-filter",
                "env-filter",
                "commit-filter",
                "setup",
                "tag-name-filter",
            ]) {
                out.script(call, &script.text);
            }
        }
        "reflog" if has(args, &["expire", "delete"]) => out
            .judgement
            .approve("destructive/git-history", "forgets lost commits"),
        "update-ref" if has(args, &["-d"]) => out
            .judgement
            .approve("destructive/git-history", "deletes a reference"),
        "gc" if args.iter().any(|arg| arg.text.starts_with("--prune=now")) => {
            out.judgement
                .approve("destructive/git-history", "forgets lost commits");
        }
        "stash" if has(args, &["clear", "drop"]) => out
            .judgement
            .approve("destructive/git", "throws stashed changes away"),
        "rebase" => {
            for script in Options::read(args, "xsX", &["exec"]).values(&["x", "exec"]) {
                wrappers::option_script(call, script, out);
            }
        }
        "bisect" if args.first().is_some_and(|arg| arg.text == "run") => {
            out.command(call, args.get(1..).unwrap_or_default());
        }
        "submodule-foreach" | "for-each-repo" => out.script(call, &wrappers::joined(args)),
        "difftool" | "mergetool" => {
            for script in Options::read(args, "x", &["extcmd"]).values(&["x", "extcmd"]) {
                wrappers::option_script(call, script, out);
            }
        }
        "log" | "grep" | "rev-list" => search(call, &verb.text, args, out),
        "rm" if has_letter(args, 'r') => out.judgement.approve("destructive/git", "deletes tracked files"),
        "archive" if args.iter().any(|arg| arg.text.starts_with("--remote")) => {
            out.judgement
                .approve("exfiltration/git-remote", "asks another remote");
        }
        "show" | "diff" | "cat-file" | "blame" | "hash-object" | "add" | "apply" => {
            for arg in args {
                let path = arg.text.rsplit(':').next().unwrap_or_default();
                let bits = paths::read(&mut out.judgement, call.world.folder, &Word::known(path));
                out.out.add(bits);
            }
        }
        "send-email" | "request-pull" | "imap-send" => {
            out.judgement.block("exfiltration/mail", "sends code by mail")
        }
        "daemon" | "http-backend" | "instaweb" => out
            .judgement
            .block("exfiltration/server", "serves the repository"),
        "credential" | "credential-store" | "credential-cache" | "credential-manager" => {
            out.judgement
                .block("credential-access/git", "asks for stored credentials");
            out.out.add(Flow::SECRET);
        }
        "commit" => {
            if has(args, &["--no-verify", "-n"]) {
                out.judgement.approve(
                    "self-approval/no-verify",
                    "goes past the checks of the repository",
                );
            }
        }
        _ => {}
    }
}

pub(super) fn has(args: &[Word], names: &[&str]) -> bool {
    args.iter().any(|arg| names.contains(&arg.text.as_str()))
}

fn has_letter(args: &[Word], letter: char) -> bool {
    args.iter()
        .any(|arg| arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.contains(letter))
}

fn running_options(call: &Call<'_>, args: &[Word], out: &mut Outcome) {
    let names = [
        "upload-pack",
        "receive-pack",
        "exec",
        "open-files-in-pager",
        "ext-diff-command",
    ];
    let options = Options::read(args, "", &["upload-pack", "receive-pack"]);
    for value in options.values(&names) {
        wrappers::option_script(call, value, out);
        out.judgement
            .approve("remote-code/git-option", "an option that runs a command");
    }
    if args.iter().any(|arg| {
        arg.text.starts_with("--upload-pa")
            || arg.text.starts_with("--receive-pa")
            || arg.text.starts_with("-O") && call.args.first().is_some_and(|a| a.text == "grep")
    }) {
        out.judgement
            .block("remote-code/git-option", "an option that runs a command");
    }
    for arg in args
        .iter()
        .filter(|arg| arg.text.starts_with("ext::") || arg.text.starts_with("fd::"))
    {
        out.script(call, arg.text.get(5..).unwrap_or_default());
        out.judgement
            .block("remote-code/git-option", "an address that runs a command");
    }
    let outputs = Options::read(args, "o", &["output", "template", "config"]);
    for file in outputs.values(&["output"]) {
        paths::write(&mut out.judgement, call.world.folder, file);
    }
    for value in outputs.values(&["config"]) {
        setting(call, value, out);
    }
    if outputs.has(&["template"]) {
        out.judgement
            .approve("persistence/git-hooks", "hooks from a template");
    }
}

/// Whether an address is of a remote of ours.
pub(super) fn is_own(call: &Call<'_>, address: &str) -> bool {
    let is_local = address.starts_with(['.', '/', '~']) || address.starts_with("file:");
    (is_local && !address.is_empty()) || call.cx.network.is_own_remote(address)
}

/// Whether a word is an address and not the name of a remote.
fn is_address(text: &str) -> bool {
    hosts::is_url(text)
        || text.contains("::")
        || text.starts_with(['/', '~'])
        || text.starts_with("file:")
        || text
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':') && !first.starts_with(':'))
            && !text.starts_with(':')
            && !text.starts_with('+')
}

fn push(call: &Call<'_>, args: &[Word], out: &mut Outcome) {
    let options = Options::read(args, "o", &["repo", "push-option", "receive-pack", "exec"]);
    let repo = options
        .values(&["repo"])
        .first()
        .copied()
        .or(options.operands.first().copied());
    if let Some(repo) = repo {
        if repo.dynamic {
            out.judgement.approve(
                "exfiltration/git-remote",
                "a remote that is only known when it runs",
            );
        } else if is_address(&repo.text) && !is_own(call, &repo.text) {
            out.judgement.block(
                "exfiltration/git-remote",
                "sends code to a remote that is not ours",
            );
        }
    }
    if call.world.has_foreign_remote {
        out.judgement.block(
            "exfiltration/git-remote",
            "sends code to a remote that is not ours",
        );
    }
    let refs: Vec<&str> = options
        .operands
        .iter()
        .skip(1)
        .map(|word| word.text.as_str())
        .collect();
    let is_main = |text: &str| {
        let name = text
            .trim_start_matches('+')
            .rsplit(':')
            .next()
            .unwrap_or_default();
        matches!(
            name.trim_start_matches("refs/heads/"),
            "main" | "master" | "production" | "prod" | "release" | "develop" | "trunk"
        ) || name.starts_with("release/")
    };
    let is_gentle = args
        .iter()
        .any(|arg| arg.text.starts_with("--force-with-lease") || arg.text.starts_with("--force-if"));
    let is_forced = args.iter().any(|arg| arg.text == "--force")
        || options.has(&["f"])
        || refs.iter().any(|text| text.starts_with('+'));
    if args.iter().any(|arg| arg.text == "--mirror") {
        out.judgement
            .block("destructive/git-push", "overwrites every branch of the remote");
    }
    if is_forced || is_gentle {
        if refs.iter().any(|text| is_main(text)) || args.iter().any(|arg| arg.text == "--all") {
            out.judgement
                .block("destructive/git-push", "overwrites a main branch");
        } else {
            out.judgement
                .approve("destructive/git-push", "overwrites a branch of the remote");
        }
    }
    let deletes = has(args, &["--delete", "-d", "--prune"])
        || refs.iter().any(|text| text.starts_with(':') && text.len() > 1);
    if deletes {
        if refs.iter().any(|text| is_main(text)) {
            out.judgement
                .block("destructive/git-push", "deletes a main branch");
        } else {
            out.judgement
                .approve("destructive/git-push", "deletes a branch of the remote");
        }
    }
    if has(args, &["--no-verify"]) {
        out.judgement.approve(
            "self-approval/no-verify",
            "goes past the checks of the repository",
        );
    }
}

fn remote(call: &Call<'_>, args: &[Word], out: &mut Outcome) {
    let operands: Vec<&Word> = args.iter().filter(|arg| !arg.text.starts_with('-')).collect();
    let address = match operands.as_slice() {
        [verb, _, address, ..] if matches!(verb.text.as_str(), "add" | "set-url") => address,
        _ => return,
    };
    if address.dynamic || !is_own(call, &address.text) {
        out.judgement
            .approve("exfiltration/git-remote", "a remote that is not ours");
        out.has_foreign_remote = true;
    }
}

fn fetch(call: &Call<'_>, verb: &str, args: &[Word], out: &mut Outcome) {
    if verb == "submodule" && args.first().is_some_and(|arg| arg.text == "foreach") {
        let inner = args
            .iter()
            .skip(1)
            .filter(|arg| !arg.text.starts_with("--"))
            .map(|arg| arg.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        out.script(call, &inner);
        return;
    }
    if verb == "submodule" && !args.iter().any(|arg| arg.text == "add") {
        return;
    }
    for address in args
        .iter()
        .filter(|arg| !arg.text.starts_with('-') && is_address(&arg.text))
    {
        let is_ours = is_own(call, &address.text)
            || hosts::is_url(&address.text) && !hosts::is_foreign(call.cx, address)
            || !hosts::is_url(&address.text) && !hosts::is_foreign(call.cx, address);
        if !is_ours {
            let carries = call.world.tainted & (Flow::SECRET | Flow::DATA | Flow::MACHINE) != 0;
            if carries {
                out.judgement
                    .block("exfiltration/request", "sends data in an address");
            }
            out.judgement
                .approve("supply-chain/git-source", "code from a remote that is not ours");
        }
    }
    if verb == "clone" && has(args, &["--recurse-submodules", "--recursive"]) {
        // Modules come along from wherever they say; the clone itself is judged.
    }
}

fn search(call: &Call<'_>, verb: &str, args: &[Word], out: &mut Outcome) {
    let mut looked_for: Vec<&str> = Vec::new();
    for (at, arg) in args.iter().enumerate() {
        for flag in ["-S", "-G", "--grep=", "-e"] {
            if let Some(value) = arg.text.strip_prefix(flag) {
                looked_for.push(if value.is_empty() {
                    args.get(at + 1).map_or("", |next| next.text.as_str())
                } else {
                    value
                });
            }
        }
    }
    let is_grep = verb == "grep";
    if is_grep {
        looked_for.extend(
            args.iter()
                .filter(|arg| !arg.text.starts_with('-'))
                .map(|arg| arg.text.as_str())
                .take(1),
        );
    }
    if looked_for
        .iter()
        .any(|text| super::search::is_secret_search(text))
        && !(verb == "log" && args.iter().any(|arg| arg.text.starts_with("--grep")))
    {
        out.judgement
            .approve("reconnaissance/secret-search", "looks for secrets in the history");
        out.out.add(Flow::SECRET);
    }
    let _ = call;
}
