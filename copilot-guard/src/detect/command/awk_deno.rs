//! `awk`, whose programs stand among its operands, and `deno`, which runs addresses.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::interpreters::{descriptor, run_file, run_text};
use super::opts::Options;
use super::paths;
use super::words::{Note, Word};
use super::wrappers::Peel;

pub(super) fn awk<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let options = Options::read(
        call.args,
        "fFvei",
        &["file", "field-separator", "assign", "source", "include"],
    );
    let files = options.values(&["f", "file", "i", "include"]);
    let sources = options.values(&["e", "source"]);
    let mut operands = options.operands.iter();
    if files.is_empty()
        && sources.is_empty()
        && let Some(program) = operands.next()
    {
        awk_code(call, program, out);
    }
    sources.iter().for_each(|program| awk_code(call, program, out));
    for file in files {
        run_file(call, "awk", file, out);
    }
    for file in operands {
        let bits = paths::read(&mut out.judgement, call.world.folder, file);
        out.out.add(bits);
    }
    out.out.add(Flow::DATA | call.stdin.bits());
    out.out.paths.clone_from(&call.stdin.paths);
    Peel::Done
}

/// Most of what is written for awk prints columns: only what can do more is handed on.
fn awk_code(call: &Call<'_>, program: &Word, out: &mut Outcome) {
    let plain = without_patterns(&program.text);
    let text = plain.as_str();
    let is_more = [
        "system", "getline", "|", "/inet", ">", "@load", "ENVIRON", "@include",
    ]
    .iter()
    .any(|word| text.contains(word));
    if is_more
        && (text.contains("system")
            || text.contains("getline")
            || has_pipe(text)
            || text.contains("/inet")
            || text.contains('@')
            || text.contains("ENVIRON")
            || text.contains("print >")
            || text.contains(">\"")
            || text.contains("> \""))
    {
        run_text(call.cx, "awk", text, out);
    }
}

/// Whether a bar stands alone: two are an "or".
fn has_pipe(text: &str) -> bool {
    text.replace("||", "").contains('|')
}

/// A program of awk without its patterns between slashes, which are data. Where it is not certain that one begins, it stays.
fn without_patterns(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = '{';
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    if c == '\\' {
                        out.extend(chars.next());
                    } else if c == '"' {
                        break;
                    }
                }
            }
            '/' if matches!(before, '{' | '}' | '(' | ',' | '!' | '~' | '&' | '|' | ';') => {
                let rest = chars.as_str();
                let mut is_escaped = false;
                let end = rest.find(|c: char| {
                    let is_end = c == '/' && !is_escaped;
                    is_escaped = c == '\\' && !is_escaped;
                    is_end
                });
                let Some(pattern) = end.and_then(|end| rest.get(..end)) else {
                    return text.to_owned();
                };
                // A slash in brackets ends none.
                if pattern.contains(['[', '\n', '#']) {
                    return text.to_owned();
                }
                out.push('1');
                chars = rest.get(pattern.len() + 1..).unwrap_or_default().chars();
            }
            // What is behind it is no program.
            '#' => return text.to_owned(),
            _ => out.push(c),
        }
        if !c.is_whitespace() {
            before = if c == '/' { '1' } else { c };
        }
    }
    out
}

pub(super) fn deno<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let verb = call.args.first().map_or("", |arg| arg.text.as_str());
    match verb {
        "eval" => {
            for text in call.args.iter().skip(1).filter(|arg| !arg.text.starts_with('-')) {
                run_text(call.cx, "node", &text.text, out);
            }
        }
        _ => {
            // The first file or address is what runs; before it stand options with values.
            let is_program = |arg: &&Word| {
                let text = arg.text.as_str();
                let ends = [".ts", ".js", ".mjs", ".mts", ".cjs", ".tsx", ".jsx"];
                super::hosts::is_url(text)
                    || text == "-"
                    || arg.is_blank()
                    || !text.starts_with('-') && ends.iter().any(|end| text.ends_with(end))
                    || call.world.file(text).is_some()
                    || paths::is_temporary(text)
                    || descriptor(text).is_some()
            };
            match call.args.iter().find(is_program) {
                Some(file) if matches!(verb, "fmt" | "lint" | "check" | "doc" | "info" | "cache") => {
                    if super::hosts::is_foreign_url(call.cx, file) {
                        out.judgement
                            .approve("exfiltration/request", "asks a host that is not ours");
                    }
                }
                Some(file) => run_file(call, "node", file, out),
                None => {}
            }
            for value in call
                .args
                .iter()
                .filter_map(|arg| arg.text.strip_prefix("--eval="))
            {
                run_text(call.cx, "node", value, out);
            }
        }
    }
    Peel::Done
}
