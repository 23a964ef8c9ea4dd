//! Programs with an option, or a word of their own language, that runs commands: a table.

use super::argv::{Call, Outcome};
use super::opts::Options;
use super::words::{Note, Word};
use super::{code, wrappers};

/// Program, short options and long options whose value is a command.
const COMMAND_OPTIONS: &[(&str, &str, &[&str])] = &[
    (
        "tar",
        "IF",
        &[
            "to-command",
            "use-compress-program",
            "rsh-command",
            "info-script",
            "new-volume-script",
            "rmt-command",
        ],
    ),
    ("rsync", "e", &["rsh", "rsync-path"]),
    ("split", "", &["filter"]),
    ("sort", "", &["compress-program"]),
    ("man", "PH", &["pager", "html"]),
    ("zip", "", &["unzip-command"]),
    ("tcpdump", "z", &["postrotate-command"]),
    ("rg", "", &["pre", "hostname-bin"]),
    ("bat", "", &["pager"]),
    ("delta", "", &["pager"]),
    ("fzf", "", &["preview", "bind", "with-shell"]),
    ("pg_dump", "", &["rsh"]),
    ("nmap", "", &["script"]),
    ("logrotate", "m", &["mail"]),
    ("cpio", "", &["rsh-command"]),
    ("dvips", "", &[]),
    ("ab", "", &[]),
    ("hg", "", &["config"]),
    ("svn", "", &["config-option", "editor-cmd", "diff-cmd"]),
    ("csplit", "", &[]),
    ("ssh-keygen", "", &[]),
    ("scp", "S", &[]),
    ("sftp", "S", &[]),
    ("run-parts", "", &[]),
    ("watchexec", "", &["shell"]),
    ("journalctl", "", &[]),
    ("column", "", &[]),
    ("gcc", "", &["wrapper"]),
    ("timew", "", &[]),
    ("wget", "", &["use-askpass"]),
    ("lynx", "", &["editor"]),
    ("nix-build", "", &["post-build-hook"]),
    ("ninja", "", &[]),
    ("pytest", "", &[]),
    ("jq", "", &[]),
];

/// Programs whose own language can run commands, and the words that show it.
const INNER_LANGUAGES: &[(&str, &[&str])] = &[
    (
        "vim",
        &[
            "!",
            ":!",
            "system(",
            "py3",
            "python",
            "lua",
            "ruby",
            "perl",
            "terminal",
            "shell",
            "writefile",
            "source",
        ],
    ),
    (
        "emacs",
        &[
            "shell-command",
            "call-process",
            "start-process",
            "--eval",
            "-eval",
            "--funcall",
            "-f",
            "--load",
            "-l",
            "term",
        ],
    ),
    ("ed", &["!"]),
    ("less", &["!", "+!", "|"]),
    ("more", &["!"]),
    ("man", &["!"]),
    ("gdb", &["!", "shell", "python", "-ex", "call", "pipe", "-x"]),
    ("lldb", &["platform", "script", "-o", "shell"]),
    ("nmap", &["--interactive", "os.execute"]),
    ("ftp", &["!"]),
    ("lftp", &["!"]),
    ("gnuplot", &["system", "!"]),
    ("octave", &["system"]),
    ("irb", &["system", "exec"]),
    ("pry", &["system", "exec"]),
    ("ghci", &[":!"]),
    ("top", &["-c!"]),
    ("mutt", &["!"]),
    ("tclsh", &["exec"]),
    ("dc", &["!"]),
    ("bc", &["!"]),
    ("jjs", &["Runtime"]),
    ("dmesg", &["!"]),
    ("dosbox", &["-c"]),
    ("mail", &["--exec", "!"]),
    ("openssl", &["-engine", "-provider", "engine", "s_server"]),
    ("pdflatex", &["write18", "-shell-escape", "--shell-escape"]),
    ("xelatex", &["write18", "-shell-escape", "--shell-escape"]),
    ("latex", &["write18", "-shell-escape", "--shell-escape"]),
    (
        "lualatex",
        &["write18", "os.execute", "--shell-escape", "-shell-escape"],
    ),
    ("ld", &["-plugin"]),
    ("yq", &["load_str", "env(", "system("]),
    ("jq", &["env.", "$ENV", "input_filename"]),
];

/// Judges options and words that run commands.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    if let Some((_, short, long)) = COMMAND_OPTIONS.iter().find(|(name, ..)| *name == call.name) {
        let letters: Vec<String> = short.chars().map(|c| c.to_string()).collect();
        let names: Vec<&str> = letters
            .iter()
            .map(String::as_str)
            .chain(long.iter().copied())
            .collect();
        let extra = if call.name == "tar" { "fCXTgbHKLNV" } else { "" };
        let options = Options::read(call.args, &format!("{short}{extra}"), long);
        for value in options.values(&names) {
            if call.name == "hg" || call.name == "svn" {
                let (_, command) = value.text.split_once('=').unwrap_or_default();
                wrappers::option_script(call, &Word::known(command.trim_start_matches('!')), out);
            } else {
                wrappers::option_script(call, value, out);
            }
        }
    }
    if let Some((_, words)) = INNER_LANGUAGES.iter().find(|(name, _)| *name == call.name) {
        let shows = |text: &str| {
            words.iter().any(|word| {
                if word.starts_with('-') {
                    text == *word || text.starts_with(&format!("{word}="))
                } else {
                    text.match_indices(word).any(|(at, _)| {
                        // `.env.PATH` is a member of what comes in.
                        *word != "env."
                            || !text.get(..at).is_some_and(|b| {
                                b.ends_with(|c: char| {
                                    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '"')
                                })
                            })
                    })
                }
            })
        };
        let is_option = |text: &str| {
            text.starts_with('-')
                || text.starts_with('+')
                || text.contains([' ', '(', '!', '$'])
                || words.contains(&text)
        };
        // What a debugger shows, it is told by the option that could tell it more.
        let is_shown = |at: usize| {
            const SHOWS: &[&str] = &[
                "run",
                "r",
                "start",
                "bt",
                "backtrace",
                "where",
                "info",
                "quit",
                "q",
                "continue",
                "c",
                "frame",
                "f",
                "up",
                "down",
                "list",
                "l",
                "break",
                "b",
                "next",
                "n",
                "step",
                "s",
                "finish",
                "thread",
                "print",
                "p",
            ];
            let next = call.args.get(at + 1).map_or("", |word| word.text.as_str());
            let first = next.split_whitespace().next().unwrap_or_default();
            call.name == "gdb"
                && call.args.get(at).is_some_and(|arg| arg.text == "-ex")
                && SHOWS.contains(&first)
                && !next.contains(['!', '|', '(', '$', '`', '/'])
        };
        let found = call.args.iter().enumerate().any(|(at, arg)| {
            if is_shown(at) {
                return false;
            }
            let before = at
                .checked_sub(1)
                .and_then(|at| call.args.get(at))
                .map_or("", |word| word.text.as_str());
            shows(&arg.text)
                && (is_option(&arg.text)
                    || matches!(
                        before,
                        "-c" | "--cmd" | "-e" | "-ex" | "-x" | "-S" | "-s" | "--eval" | "-o"
                    ))
        });
        let reads = call.stdin.text.as_deref().is_some_and(shows);
        if found || reads {
            out.judgement.approve(
                "remote-code/inner-language",
                "a program that is told to run a command",
            );
        }
    }
    match call.name {
        "tar" => checkpoint(call, out),
        "make" | "gmake" => make(call, out),
        "zip"
            if call.args.iter().any(|arg| {
                arg.text.starts_with("-TT")
                    || arg.text == "-T" && call.args.iter().any(|a| a.text.starts_with("-TT"))
            }) =>
        {
            out.judgement
                .approve("remote-code/command-option", "an option that runs a command");
        }
        "gcc" | "g++" | "clang" | "cc"
            if call.args.iter().any(|arg| {
                arg.text.starts_with("-wrapper") || arg.text.starts_with("-fplugin") || arg.text == "-B"
            }) =>
        {
            out.judgement
                .approve("remote-code/command-option", "an option that runs a command");
        }
        "openssl"
            if call
                .args
                .first()
                .is_some_and(|arg| matches!(arg.text.as_str(), "s_client" | "s_time" | "ocsp")) =>
        {
            openssl(call, out)
        }
        "vim" | "emacs"
            if call
                .args
                .iter()
                .any(|arg| arg.text == "-S" || arg.text == "-u" || arg.text == "-s") =>
        {
            out.judgement.approve(
                "remote-code/inner-language",
                "a program that is told to run a command",
            );
        }
        "php" | "ruby" | "node" => {}
        "jq" if call
            .args
            .iter()
            .any(|arg| matches!(arg.text.as_str(), "env" | "$ENV") || arg.text.contains("$ENV")) =>
        {
            out.judgement
                .approve("credential-access/environment", "prints the whole environment");
        }
        "ldd" | "sqlmap" | "cmake" => {
            if call.name == "cmake" && call.args.iter().any(|arg| arg.text == "-P") {
                out.judgement
                    .approve("remote-code/inner-language", "a script of the build");
            }
            if let Some(at) = call
                .args
                .iter()
                .position(|arg| arg.text == "-E")
                .filter(|_| call.name == "cmake")
            {
                let rest = call.args.get(at + 1..).unwrap_or_default();
                out.script(call, &wrappers::joined(rest));
            }
        }
        "run-parts" => out
            .judgement
            .approve("remote-code/inner-language", "runs every program of a folder"),
        "mysql" | "psql" | "sqlite3" => {}
        _ => {
            let _ = code::judge;
        }
    }
}

fn checkpoint(call: &Call<'_>, out: &mut Outcome) {
    for (at, arg) in call.args.iter().enumerate() {
        let text = arg.text.as_str();
        let Some(rest) = text
            .strip_prefix("--checkpoint-action")
            .or_else(|| text.strip_prefix("--checkpoint-a"))
        else {
            continue;
        };
        let value = match rest.strip_prefix('=') {
            Some(value) => value,
            None => call.args.get(at + 1).map_or("", |word| word.text.as_str()),
        };
        if let Some(script) = value.strip_prefix("exec=") {
            out.script(call, script);
            out.judgement
                .block("remote-code/command-option", "an option that runs a command");
        }
    }
}

fn make(call: &Call<'_>, out: &mut Outcome) {
    for (at, arg) in call.args.iter().enumerate() {
        let text = arg.text.as_str();
        if let Some((name, value)) = text.split_once('=').filter(|(name, _)| {
            matches!(
                *name,
                "SHELL" | ".SHELLFLAGS" | "CC" | "CXX" | "MAKEFLAGS" | "--eval"
            )
        }) {
            if name == "--eval" || name == "SHELL" || name == ".SHELLFLAGS" {
                out.script(call, value);
                out.judgement
                    .approve("remote-code/command-option", "an option that runs a command");
            }
        } else if text == "--eval" || text == "-E" {
            let value = call.args.get(at + 1).map_or("", |word| word.text.as_str());
            let start = value.find("$(shell").map(|from| from + 7);
            let script = start
                .and_then(|from| value.get(from..))
                .map_or(value, |rest| rest.trim_end_matches(')'));
            out.script(
                call,
                script
                    .split('\t')
                    .next_back()
                    .unwrap_or_default()
                    .trim_start_matches("x:")
                    .trim_start_matches(['@', '-']),
            );
            out.judgement
                .approve("remote-code/command-option", "an option that runs a command");
        } else if matches!(text, "-f" | "-f-" | "--file=-" | "--makefile=-") {
            let file = call.args.get(at + 1).map_or("-", |next| next.text.as_str());
            let is_stdin = text != "-f" || matches!(file, "-" | "/dev/stdin");
            let written = call.world.file(file);
            if !is_stdin && written.is_none() {
                continue;
            }
            let known = if is_stdin {
                call.stdin.text.as_deref()
            } else {
                written.and_then(|flow| flow.text.as_deref())
            };
            if let Some(known) = known {
                let recipe: Vec<&str> = known
                    .lines()
                    .filter_map(|line| {
                        line.strip_prefix('\t')
                            .or_else(|| line.split_once(';').map(|(_, recipe)| recipe))
                    })
                    .collect();
                out.script(call, &recipe.join("\n"));
            }
            out.judgement
                .approve("remote-code/command-option", "a build that comes in");
        }
    }
}

fn openssl(call: &Call<'_>, out: &mut Outcome) {
    let host = call.args.windows(2).find_map(|pair| {
        matches!(pair, [flag, _] if flag.text == "-connect" || flag.text == "-host")
            .then(|| pair.get(1))
            .flatten()
    });
    let is_foreign = host.is_none_or(|host| super::hosts::is_foreign(call.cx, host));
    if is_foreign
        && !call.stdin.is_empty()
        && call
            .stdin
            .text
            .as_deref()
            .is_none_or(|text| text.trim().len() > 1)
    {
        out.judgement
            .block("exfiltration/connection", "sends data to a host that is not ours");
    } else if is_foreign {
        out.judgement.approve(
            "exfiltration/connection",
            "a connection to a host that is not ours",
        );
    }
    out.out.add(if is_foreign {
        super::flow::Flow::DOWNLOAD
    } else {
        super::flow::Flow::FETCHED
    });
}
