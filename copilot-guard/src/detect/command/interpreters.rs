//! Shells and interpreters: scripts in an option, in a file, or on standard input.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::interpreter_table::{CODE, VALUES};
use super::opts::Options;
use super::words::{Cx, Note, Word};
use super::wrappers::Peel;
use super::{code, paths, programs, script};

/// `bash -c …`, `sh file`, `… | sh`.
pub(super) fn shell<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let mut args = call.args.iter();
    let mut takes_script = false;
    let mut reads_input = false;
    let mut operand = None;
    while let Some(arg) = args.next() {
        let text = arg.text.as_str();
        match text {
            "--rcfile" | "--init-file" => {
                if let Some(file) = args.next() {
                    run_file(call, "bash", file, out);
                }
            }
            "--command" => takes_script = true,
            "-o" | "+o" | "-O" | "+O" | "-C" | "--init-command" => {
                let value = args.next();
                if let Some(value) = value.filter(|_| matches!(text, "-C" | "--init-command")) {
                    out.script(call, &value.text);
                }
            }
            "--" => {
                operand = args.next();
                break;
            }
            _ if text.starts_with("--") => {}
            _ if text.len() > 1 && text.starts_with(['-', '+']) => {
                takes_script |= text.contains('c');
                reads_input |= text.contains('s');
            }
            _ => {
                operand = Some(arg);
                break;
            }
        }
    }
    match operand {
        Some(text) if takes_script => {
            if text.is_blank() {
                dynamic_script(call, out);
            } else if text.dynamic && call.world.tainted & (Flow::DOWNLOAD | Flow::DECODED) != 0 {
                out.judgement.block(
                    "remote-code/download-to-shell",
                    "what was downloaded or decoded is run",
                );
            }
            positional(call, &text.text, args.as_slice(), out);
        }
        Some(file) if !reads_input && !is_stdin(&file.text) => run_file(call, call.name, file, out),
        _ => {
            let asks = call.args.iter().any(|arg| arg.text.starts_with("--"));
            if call.stdin.is_empty() && !asks {
                out.judgement
                    .approve("unclear/interactive-shell", "a shell that waits for commands");
            }
            run_input(call, call.name, out);
        }
    }
    if out.out.is_empty() {
        out.out.add(Flow::DATA);
    }
    Peel::Done
}

/// A script with what `$0`, `$1` … stand for.
fn positional(call: &Call<'_>, text: &str, args: &[Word], out: &mut Outcome) {
    let (judgement, printed) = script::called(call.cx, text, args, call.stdin);
    out.judgement.merge(judgement);
    out.out.join(printed);
}

fn dynamic_script(call: &Call<'_>, out: &mut Outcome) {
    if call.world.tainted & (Flow::DOWNLOAD | Flow::FETCHED) != 0 {
        out.judgement
            .block("remote-code/download-to-shell", "what was downloaded is run");
    } else if call.world.tainted & Flow::DECODED != 0 {
        out.judgement
            .block("remote-code/decoded", "what was decoded is run");
    } else {
        out.judgement.approve(
            "unclear/dynamic-script",
            "a script that is only known when it runs",
        );
    }
}

pub(super) fn is_stdin(path: &str) -> bool {
    path == "-" || descriptor(path) == Some("0")
}

/// The number of a descriptor that a path stands for, however it is spelled.
pub(super) fn descriptor(path: &str) -> Option<&'static str> {
    let path = paths::normal("", path);
    let number = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "dev", "stdin"] => "0",
        ["", "dev", "fd", number] | ["", "proc", _, "fd", number] => number,
        ["", "proc", _, "task", _, "fd", number] => number,
        _ => return None,
    };
    Some(if number == "0" { "0" } else { "" })
}

/// Whether a program of this name takes scripts of a shell.
fn is_shell(name: &str) -> bool {
    programs::SHELLS.contains(&name) || matches!(name, "source" | ".")
}

/// Runs what comes in.
fn run_input(call: &Call<'_>, language: &str, out: &mut Outcome) {
    run_flow(call, language, call.stdin, out);
    if call.world.is_substituted && call.world.tainted & Flow::DOWNLOAD != 0 {
        out.judgement
            .block("remote-code/download-to-shell", "what was downloaded is run");
    }
}

/// Runs what is known of a stream or file.
pub(super) fn run_flow(call: &Call<'_>, language: &str, flow: &Flow, out: &mut Outcome) {
    if flow.has(Flow::DOWNLOAD | Flow::FETCHED) {
        out.judgement
            .block("remote-code/download-to-shell", "what was downloaded is run");
    } else if flow.texts().next().is_some() {
        flow.texts()
            .for_each(|text| run_text(call.cx, language, text, out));
    } else if flow.has(Flow::DECODED) {
        out.judgement
            .block("remote-code/decoded", "what was decoded is run");
    } else if !flow.is_empty() {
        out.judgement
            .approve("unclear/piped-script", "what another program prints is run");
    }
}

pub(super) fn run_text(cx: &Cx<'_>, language: &str, text: &str, out: &mut Outcome) {
    if is_shell(language) {
        let (judgement, printed) = script::nested(cx, text, &Flow::default());
        out.judgement.merge(judgement);
        out.out.join(printed);
    } else {
        let inner = Cx {
            depth: cx.depth.saturating_add(1),
            ..*cx
        };
        let judgement = match language {
            "pwsh" => super::powershell::judge(&inner, text),
            "cmd" => super::cmd_exe::judge(&inner, text),
            _ => {
                let mut judgement = code::judge(&inner, language, text);
                if language == "node"
                    && text.contains("child_process")
                    && ["require", "import", "process.binding"]
                        .iter()
                        .any(|word| text.contains(word))
                    && judgement.findings.is_empty()
                {
                    judgement.approve("unclear/process", "code that starts programs");
                }
                judgement
            }
        };
        out.judgement.merge(judgement);
    }
}

/// Runs a file.
pub(super) fn run_file(call: &Call<'_>, language: &str, file: &Word, out: &mut Outcome) {
    let path = paths::plain(&file.text);
    let known = call.world.file(&file.text);
    if is_stdin(&file.text) {
        run_input(call, language, out);
    } else if let Some(flow) = known {
        run_flow(call, language, flow, out);
    } else if descriptor(&file.text).is_some() {
        out.judgement.approve(
            "unclear/descriptor",
            "a script that comes in by a way that is not known",
        );
    } else if file.is_blank() {
        dynamic_script(call, out);
    } else if paths::is_temporary(path) {
        out.judgement.approve(
            "remote-code/temporary-file",
            "runs a file from a folder that anybody writes to",
        );
    } else if super::hosts::is_url(&file.text) {
        out.judgement
            .block("remote-code/from-address", "runs what an address gives");
    }
    if paths::is_socket(&file.text) {
        out.judgement
            .block("remote-code/from-address", "runs what a connection gives");
    }
}

/// A program by its path: one that the script made, or one from a folder that anybody writes to.
pub(super) fn own_program(call: &Call<'_>, out: &mut Outcome) {
    let text = call.program.text.as_str();
    if let Some(flow) = call.world.file(text) {
        run_flow(call, "bash", flow, out);
    } else if paths::is_temporary(text) {
        out.judgement.approve(
            "remote-code/temporary-file",
            "runs a file from a folder that anybody writes to",
        );
    }
}

/// `source file`.
pub(super) fn source<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    if let Some(file) = call.args.first() {
        run_file(call, "source", file, out);
    }
    Peel::Done
}

/// `python -c …`, `node file`, `… | perl`.
pub(super) fn language<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    match call.name {
        "pwsh" | "cmd" => {
            let judgement = if call.name == "pwsh" {
                super::powershell::judge_call(call.cx, call.args)
            } else {
                super::cmd_exe::judge_call(call.cx, call.args)
            };
            out.judgement.merge(judgement);
            if !call.stdin.is_empty() {
                run_flow(call, call.name, call.stdin, out);
            }
            return Peel::Done;
        }
        // `-pe` is `-p` and `-e`, with one value.
        "node" | "bun"
            if call
                .args
                .iter()
                .any(|arg| matches!(arg.text.as_str(), "-pe" | "-ep")) =>
        {
            let args: Vec<Word> = call
                .args
                .iter()
                .map(|arg| match arg.text.as_str() {
                    "-pe" | "-ep" => Word::known("-e"),
                    _ => arg.clone(),
                })
                .collect();
            let inner = Call { args: &args, ..*call };
            language(&inner, out);
            return Peel::Done;
        }
        "awk" => return super::awk_deno::awk(call, out),
        "deno" => return super::awk_deno::deno(call, out),
        "bun"
            if call
                .args
                .first()
                .is_some_and(|arg| !arg.text.starts_with('-') && !arg.text.contains('.')) =>
        {
            return Peel::Not;
        }
        _ => {}
    }
    let (code_short, code_long) = CODE
        .iter()
        .find(|(name, ..)| *name == call.name)
        .map_or(("", [].as_slice()), |c| (c.1, c.2));
    let (short, long) = VALUES
        .iter()
        .find(|(name, ..)| *name == call.name)
        .map_or(("", [].as_slice()), |v| (v.1, v.2));
    let (args, module) = until_operand(call, code_short, short, long);
    let longs: Vec<&str> = code_long.iter().chain(long).copied().collect();
    let options = Options::read(args, &format!("{code_short}{short}"), &longs);
    let letters: Vec<String> = code_short.chars().map(|c| c.to_string()).collect();
    let names: Vec<&str> = letters
        .iter()
        .map(String::as_str)
        .chain(code_long.iter().copied())
        .collect();
    let codes = options.values(&names);
    for text in &codes {
        if text.is_blank() {
            dynamic_script(call, out);
        }
        run_text(call.cx, call.name, &text.text, out);
    }
    for file in options.values(&["r", "require", "import", "loader", "experimental-loader"]) {
        if paths::is_temporary(&file.text)
            || file.dynamic
            || file.text.starts_with("data:")
            || super::hosts::is_url(&file.text)
        {
            out.judgement
                .approve("remote-code/loaded-file", "loads code from elsewhere");
        }
    }
    if call.name == "perl" {
        // What is behind the name of a module is code as well.
        for module in options.values(&["M", "m"]) {
            let is_plain =
                |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '=' | ',' | '-' | '.' | '/');
            if !module.text.chars().all(is_plain) {
                run_text(call.cx, "perl", &format!("use {};", module.text), out);
                out.judgement
                    .approve("remote-code/loaded-file", "code in the name of a module");
            }
        }
    }
    if options.has(&["i"]) && matches!(call.name, "perl" | "ruby") {
        super::edits::emptied(&codes, out);
        for file in call.args {
            super::edits::locked(file, out);
        }
    }
    if let Some(module) = module {
        return python_module(call, &module, out);
    }
    match options.operands.first() {
        _ if !codes.is_empty() => {}
        Some(file) if !is_stdin(&file.text) => run_file(call, call.name, file, out),
        _ if options.has(&["version", "help", "v", "V", "h", "S"]) && call.stdin.is_empty() => {}
        _ => run_input(call, call.name, out),
    }
    check_paths(call, out);
    Peel::Done
}

fn check_paths(call: &Call<'_>, out: &mut Outcome) {
    for arg in call.args {
        if paths::is_secret(call.world.folder, arg) {
            paths::read(&mut out.judgement, call.world.folder, arg);
            out.out.add(Flow::SECRET);
        }
    }
    out.out.add(Flow::DATA);
}

/// The arguments up to and with the first operand: behind it stand those of the script. For python also `-m`.
fn until_operand<'a>(
    call: &Call<'a>,
    code: &str,
    short: &str,
    long: &[&str],
) -> (&'a [Word], Option<Vec<Word>>) {
    let mut at = 0;
    while let Some(arg) = call.args.get(at) {
        let text = arg.text.as_str();
        if !text.starts_with('-') || text == "-" {
            return (call.args.get(..=at).unwrap_or_default(), None);
        }
        let letter = |c: char| !text.starts_with("--") && (code.contains(c) || short.contains(c));
        let takes = text.char_indices().skip(1).find(|(_, c)| letter(*c));
        if let (Some((place, 'm')), "python") = (takes, call.name) {
            let mut module = vec![Word::known(text.get(place + 1..).unwrap_or_default())];
            let from = if text.len() == place + 1 { at + 1 } else { at + 2 };
            if text.len() == place + 1 {
                module.clear();
            }
            module.extend(
                call.args
                    .get(from.min(call.args.len())..)
                    .unwrap_or_default()
                    .iter()
                    .cloned(),
            );
            return (&[], Some(module));
        }
        let next_is_value = takes.is_some_and(|(place, _)| place + 1 == text.len())
            || text.strip_prefix("--").is_some_and(|name| {
                long.contains(&name) || matches!(name, "eval" | "print" | "run" | "command")
            });
        at += 1 + usize::from(next_is_value);
    }
    (call.args, None)
}

/// `python -m module …`.
fn python_module<'a>(call: &Call<'a>, module: &[Word], out: &mut Outcome) -> Peel<'a> {
    let Some((name, args)) = module.split_first() else {
        return Peel::Done;
    };
    match name.text.as_str() {
        "http.server" | "SimpleHTTPServer" | "pyftpdlib" | "uploadserver" | "twisted" => {
            let is_local = module.windows(2).any(|pair| {
                matches!(pair, [flag, value] if matches!(flag.text.as_str(), "--bind" | "-b") && matches!(value.text.as_str(), "127.0.0.1" | "localhost" | "::1"))
            });
            let is_local = is_local
                || module.iter().any(|word| {
                    matches!(
                        word.text.as_str(),
                        "--bind=127.0.0.1" | "--bind=localhost" | "--bind=::1" | "-b127.0.0.1"
                    )
                });
            // One folder by name, for this machine alone, is a look at what was built.
            let is_named = module.windows(2).any(|pair| {
                matches!(pair, [flag, folder] if matches!(flag.text.as_str(), "--directory" | "-d")
                    && !folder.dynamic
                    && folder.text.starts_with(|c: char| c.is_ascii_alphanumeric()))
            });
            if is_local && !is_named {
                out.judgement
                    .approve("exfiltration/server", "serves files of this machine");
            } else if !is_local {
                out.judgement.block(
                    "exfiltration/server",
                    "serves files of this machine to the network",
                );
            }
            Peel::Done
        }
        "pip" | "pipx" | "uv" | "poetry" | "twine" | "base64" | "awscli" => {
            let mut argv = module.to_vec();
            if let Some(first) = argv.first_mut() {
                first.text = first.text.replace("awscli", "aws");
            }
            Peel::Owned(argv, 0)
        }
        "timeit" => {
            // All but its options is code.
            let options = Options::read(args, "nrsu", &["number", "repeat", "setup", "unit"]);
            let code = options
                .values(&["s", "setup"])
                .into_iter()
                .chain(options.operands.iter().copied());
            let text: Vec<&str> = code.map(|word| word.text.as_str()).collect();
            run_text(call.cx, "python", &text.join("\n"), out);
            Peel::Done
        }
        "smtplib" | "ftplib" | "telnetlib" | "code" | "pdb" | "idlelib" | "xmlrpc.server" => {
            out.judgement
                .approve("unclear/module", "a module that runs or sends what it is given");
            Peel::Done
        }
        _ => {
            let _ = args;
            check_paths(call, out);
            Peel::Done
        }
    }
}
