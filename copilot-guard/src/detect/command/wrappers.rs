//! Programs that run another: what stands before the inner command, as a table, and the few that need more.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, Word};
use super::wrapper_table::{PRIVILEGED, SCRIPT_OPTIONS, WRAPPERS};
use super::{assign, hosts, programs, script};

/// What is under a wrapper.
pub(super) enum Peel<'a> {
    /// It is none.
    Not,
    /// The inner command.
    Inner(&'a [Word]),
    /// The inner command, put together, and bits of what its words hold.
    Owned(Vec<Word>, u8),
    /// Nothing more: it has been judged.
    Done,
}

/// Takes one wrapper off.
pub(super) fn peel<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    if let Some((_, short, long, skip)) = PRIVILEGED.iter().find(|(name, ..)| *name == call.name) {
        privileged(call, out);
        if call.name == "runuser" && !scripts_of(call, out) {
            return Peel::Done;
        }
        if call.name == "capsh"
            && let Some(at) = call.args.iter().position(|arg| arg.text == "--")
        {
            return Peel::Owned(with("bash", call.args.get(at + 1..).unwrap_or_default()), 0);
        }
        let inner = inner(call.args, short, long, *skip);
        if inner.is_empty() && matches!(call.name, "sudo" | "nsenter" | "unshare" | "chroot") {
            // A shell, which may read what comes in.
            return Peel::Owned(vec![Word::known("sh")], 0);
        }
        return Peel::Inner(inner);
    }
    if let Some((_, short, long, skip)) = WRAPPERS.iter().find(|(name, ..)| *name == call.name) {
        if call.name == "command"
            && call
                .args
                .iter()
                .any(|arg| matches!(arg.text.as_str(), "-v" | "-V"))
        {
            return looked_up(call, out);
        }
        if call.name == "valgrind" || call.name == "firejail" {
            return Peel::Inner(from_first_operand(call.args));
        }
        if call.name == "faketime" {
            // The time may begin with a dash.
            let flags = call
                .args
                .iter()
                .take_while(|arg| matches!(arg.text.as_str(), "-f" | "-m" | "--exclude-monotonic"));
            return Peel::Inner(call.args.get(flags.count() + 1..).unwrap_or_default());
        }
        let skip = match call.name {
            // The machine may be left out.
            "setarch" if !call.args.first().is_some_and(|arg| is_machine(&arg.text)) => 0,
            _ => *skip,
        };
        return Peel::Inner(inner(call.args, short, long, skip));
    }
    match call.name {
        "env" => env(call, out),
        "xargs" | "parallel" => super::xargs::xargs(call, out),
        "which" | "type" | "whence" => looked_up(call, out),
        "watch" | "hyperfine" | "entr" | "nodemon" | "watchexec" | "concurrently" => {
            let text = joined(from_first_operand(call.args));
            out.script(call, &text);
            // Each of them may be a command, and options hold some.
            for arg in call.args {
                let text = match arg.text.split_once('=') {
                    Some((_, value)) if arg.text.starts_with('-') => value,
                    _ => arg.text.as_str(),
                };
                if text.contains(' ') {
                    out.script(call, text);
                }
            }
            Peel::Done
        }
        "eval" => {
            if call.args.iter().any(|arg| arg.dynamic) {
                out.judgement
                    .approve("unclear/eval", "a script that is put together when it runs");
            }
            out.script(call, &joined(call.args));
            Peel::Done
        }
        "trap" => {
            let script = call
                .args
                .iter()
                .find(|arg| !matches!(arg.text.as_str(), "--" | "-p" | "-l" | "-"));
            if let Some(text) = script {
                out.script(call, &text.text);
            }
            Peel::Done
        }
        "npx" | "bunx" | "uvx" | "pnpx" => super::subcommands::packaged(call, call.args, out),
        "tmux" | "screen" | "byobu" | "zellij" | "dtach" | "abduco" => {
            // A command in one word: `tmux new -d 'while …'`.
            for arg in call
                .args
                .iter()
                .filter(|arg| arg.text.contains([' ', ';', '|', '&', '\n']))
            {
                out.script(call, &arg.text);
            }
            let at = call
                .args
                .iter()
                .position(|arg| programs::is_dangerous(arg.text.split(' ').next().unwrap_or_default()));
            if let Some(text) = at.and_then(|at| call.args.get(at..)).map(joined) {
                out.script(call, &text);
            }
            Peel::Done
        }
        "script" | "flock" | "nix-shell" | "su" | "sg" | "vagrant" => {
            if matches!(call.name, "su" | "sg") {
                out.judgement
                    .approve("privilege/other-user", "runs as another user");
            }
            let has_none = scripts_of(call, out);
            match call.name {
                "flock" if has_none => Peel::Inner(inner(call.args, "wE", &["timeout"], 1)),
                // On some machines a command stands behind the file.
                "script" if has_none => Peel::Inner(inner(call.args, "cIOBTmEotF", &[], 1)),
                _ => Peel::Done,
            }
        }
        "ssh" | "mosh" | "autossh" => ssh(call, out),
        "cargo" if call.args.iter().any(|arg| arg.text == "watch") => {
            scripts_of(call, out);
            Peel::Not
        }
        _ => super::subcommands::subcommand(call, out),
    }
}

fn privileged(call: &Call<'_>, out: &mut Outcome) {
    let is_root = matches!(
        call.name,
        "sudo" | "doas" | "pkexec" | "run0" | "gksudo" | "runuser"
    );
    if is_root {
        let reads_password = call
            .args
            .iter()
            .any(|arg| matches!(arg.text.as_str(), "-S" | "--stdin" | "-A"));
        out.judgement
            .approve("privilege/root", "runs as root or another user");
        if reads_password && call.stdin.text.is_some() {
            out.judgement
                .block("privilege/password", "a password that is typed in for root");
        }
        let is_shell = call
            .args
            .iter()
            .all(|arg| matches!(arg.text.as_str(), "-i" | "-s" | "-E" | "-H" | "-n" | "--login"));
        if is_shell {
            out.judgement
                .block("privilege/root-shell", "a shell with all rights");
        }
    } else {
        out.judgement
            .approve("privilege/namespace", "another root, user or namespace");
        let has_target = call
            .args
            .iter()
            .any(|arg| arg.text.starts_with("-t") || arg.text.starts_with("--target"));
        if call.name == "nsenter" && has_target {
            out.judgement
                .block("privilege/namespace", "the namespaces of another process");
        }
    }
}

/// What stands behind the options and so many operands.
pub(super) fn inner<'a>(args: &'a [Word], short: &str, long: &[&str], mut skip: usize) -> &'a [Word] {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let text = arg.text.as_str();
        if text == "--" {
            at += 1;
            while skip > 0 && args.get(at).is_some() {
                at += 1;
                skip -= 1;
            }
            break;
        }
        if let Some(body) = text.strip_prefix("--").filter(|b| !b.is_empty()) {
            at += 1 + usize::from(long.contains(&body));
        } else if text.len() > 1 && (text.starts_with('-') || text.starts_with('+')) {
            // The value of a cluster's last letter stands in the next word.
            let takes = text.char_indices().skip(1).find(|(_, c)| short.contains(*c));
            at += 1 + usize::from(takes.is_some_and(|(place, c)| place + c.len_utf8() == text.len()));
        } else if is_assignment(text) {
            at += 1;
        } else if skip > 0 {
            skip -= 1;
            at += 1;
        } else {
            break;
        }
    }
    args.get(at..).unwrap_or_default()
}

fn from_first_operand(args: &[Word]) -> &[Word] {
    let at = args
        .iter()
        .position(|arg| !arg.text.starts_with('-'))
        .unwrap_or(args.len());
    args.get(at..).unwrap_or_default()
}

/// `NAME=value` before a command.
pub(super) fn is_assignment(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    name.len() < text.len()
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Words as one script.
pub(super) fn joined(words: &[Word]) -> String {
    words
        .iter()
        .map(|word| word.text.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

pub(super) fn with(first: &str, rest: &[Word]) -> Vec<Word> {
    std::iter::once(Word::known(first))
        .chain(rest.iter().cloned())
        .collect()
}

/// `command -v curl` prints the name of a program.
fn looked_up<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let name = call
        .args
        .iter()
        .find(|arg| !arg.text.starts_with('-') && !arg.dynamic);
    if let Some(name) = name {
        out.out = Flow::known(format!("{}\n", name.text));
    }
    Peel::Done
}

/// Judges the scripts in a program's options. Whether there were none.
fn scripts_of(call: &Call<'_>, out: &mut Outcome) -> bool {
    let Some((_, short, long)) = SCRIPT_OPTIONS.iter().find(|(name, ..)| *name == call.name) else {
        return true;
    };
    let options = Options::read(call.args, short, long);
    let mut names = long.to_vec();
    names.push(short);
    let scripts = options.values(&names);
    for text in &scripts {
        out.script(call, &text.text);
    }
    scripts.is_empty()
}

/// `env` with options, assignments and `-S`.
fn env<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let args = call.args;
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let text = arg.text.as_str();
        let split = text.strip_prefix("--split-string=").or_else(|| {
            let cluster = text.strip_prefix('-').filter(|t| !t.starts_with('-'))?;
            cluster
                .find('S')
                .map(|place| cluster.get(place + 1..).unwrap_or_default())
        });
        if split.is_some() || text == "--split-string" {
            let (text, rest) = match split {
                Some(text) if !text.is_empty() => (text.to_owned(), at + 1),
                _ => (
                    args.get(at + 1).map(|word| word.text.clone()).unwrap_or_default(),
                    at + 2,
                ),
            };
            let rest = args.get(rest..).unwrap_or_default().iter();
            let script = rest.fold(text.replace("\\_", " "), |script, arg| {
                script + " " + &super::simple::quote(&arg.text)
            });
            out.script(call, &script);
            return Peel::Done;
        }
        match text {
            "-u" | "--unset" | "-C" | "--chdir" | "-a" | "--argv0" => {
                if let (true, Some(name)) = (matches!(text, "-u" | "--unset"), args.get(at + 1)) {
                    assign::unset(&name.text, &mut out.judgement);
                }
                at += 2;
            }
            _ if text.starts_with('-') => {
                if let Some(name) = text.strip_prefix("--unset=").or_else(|| text.strip_prefix("-u")) {
                    assign::unset(name, &mut out.judgement);
                }
                at += 1;
            }
            _ if text.contains('=') => {
                if let Some((name, value)) = text.split_once('=') {
                    let value = Word {
                        text: value.to_owned(),
                        dynamic: arg.dynamic,
                    };
                    assign::judge(call.cx, name, &value, &mut out.judgement);
                }
                at += 1;
            }
            _ => return Peel::Inner(args.get(at..).unwrap_or_default()),
        }
    }
    let mut judgement = std::mem::take(&mut out.judgement);
    judgement.approve("credential-access/environment", "prints the whole environment");
    out.judgement = judgement;
    out.out = Flow::of(Flow::MACHINE | Flow::SECRET);
    Peel::Done
}

fn ssh<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let short = "BbcDEeFIiJLlmOopQRSWw";
    let options = Options::read(call.args, short, &[]);
    for setting in options.values(&["o"]) {
        hosts::ssh_option(call.cx, setting, call.stdin, &mut out.judgement);
    }
    if options.has(&["R", "D", "w"]) {
        out.judgement
            .block("exfiltration/tunnel", "a tunnel into this network");
    }
    if options.has(&["F"]) {
        out.judgement
            .approve("persistence/ssh-config", "another configuration for ssh");
    }
    let rest = inner(call.args, short, &[], 0);
    let Some((host, command)) = rest.split_first() else {
        return Peel::Done;
    };
    let is_ours = !hosts::is_foreign(call.cx, host);
    let sends =
        call.stdin.has(Flow::DATA | Flow::SECRET | Flow::MACHINE) || call.world.tainted & Flow::SECRET != 0;
    if is_ours {
        out.judgement
            .approve("remote-code/ssh", "runs on another machine");
    } else if sends {
        out.judgement
            .block("exfiltration/ssh", "sends data to a host that is not ours");
    } else {
        out.judgement
            .approve("remote-code/ssh", "runs on a machine that is not ours");
    }
    if !command.is_empty() {
        out.script(call, &joined(command));
    }
    out.out = Flow::of(if is_ours { Flow::FETCHED } else { Flow::DOWNLOAD });
    Peel::Done
}

/// Whether a word names a kind of machine, as `setarch` takes it.
fn is_machine(text: &str) -> bool {
    const MACHINES: &[&str] = &[
        "x86_64", "i386", "i486", "i586", "i686", "amd64", "aarch64", "arm64", "armv7l", "armv8l", "linux32",
        "linux64", "ppc", "ppc64", "ppc64le", "s390", "s390x", "mips", "mips64", "riscv32", "riscv64",
        "uname26",
    ];
    MACHINES.contains(&text)
}

/// Judges a command in an option as a script of its own.
pub(super) fn option_script(call: &Call<'_>, text: &Word, out: &mut Outcome) {
    const HARMLESS: &[&str] = &[
        "cat", "less", "more", "true", ":", "vim", "vi", "nano", "emacs", "code", "ssh", "gzip", "pigz",
        "xz", "zstd", "zstdmt", "bzip2", "pbzip2", "lz4", "lzop", "delta", "bat", "",
    ];
    let (judgement, _) = script::nested(call.cx, &text.text, &Flow::default());
    let is_harmless = judgement.findings.is_empty()
        || judgement
            .findings
            .iter()
            .all(|finding| finding.rule == "remote-code/ssh");
    out.judgement.merge(judgement);
    let first = text.text.split_whitespace().next().unwrap_or_default();
    let name = programs::canonical(first.rsplit('/').next().unwrap_or_default());
    if !is_harmless || text.dynamic || !HARMLESS.contains(&name.as_str()) {
        out.judgement
            .approve("remote-code/command-option", "an option that runs a command");
    }
}
