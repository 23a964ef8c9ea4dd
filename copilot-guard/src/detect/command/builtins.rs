//! Builtins of bash that run what their arguments hold: callbacks, and subscripts, which are expanded once more.

use super::super::judgement::Judgement;
use super::flow::Flow;
use super::opts::Options;
use super::script::{self, nested};
use super::words::{Cx, Note, Word};

/// They take names of variables or arithmetic, in which the subscript of an array is expanded.
const SUBSCRIPTS: &[&str] = &[
    "let",
    "test",
    "[",
    "printf",
    "declare",
    "typeset",
    "local",
    "export",
    "readonly",
    "read",
    "mapfile",
    "readarray",
    "unset",
    "getopts",
    "wait",
];

/// Builtin, short options whose value is a command.
const CALLBACKS: &[(&str, &str)] = &[
    ("mapfile", "C"),
    ("readarray", "C"),
    ("complete", "C"),
    ("compgen", "C"),
    ("bind", "x"),
    ("fc", "e"),
];

/// Judges a builtin by its arguments. Other programs have nothing to fear here.
pub(super) fn judge(cx: &Cx<'_>, name: &str, args: &[Word], out: &mut Judgement) {
    // What `printf` prints is text.
    let is_printed = name == "printf" && args.first().is_none_or(|arg| !arg.text.starts_with("-v"));
    if SUBSCRIPTS.contains(&name) && !is_printed {
        for arg in args {
            subscript(cx, &arg.text, out);
        }
    }
    if let Some((_, letters)) = CALLBACKS.iter().find(|(known, _)| *known == name) {
        for value in Options::read(args, letters, &[]).values(&[letters]) {
            // `bind -x '"\C-g": command'`.
            let text = match value.text.split_once(':') {
                Some((_, command)) if name == "bind" => command.trim().trim_matches('"'),
                _ => value.text.as_str(),
            };
            out.merge(nested(cx, text, &Flow::default()).0);
            out.approve("remote-code/callback", "a command that a builtin runs later");
        }
    }
    if matches!(name, "compgen" | "complete") {
        for value in Options::read(args, "WFCPSAGoX", &[]).values(&["W"]) {
            if value.text.contains(['$', '`']) {
                out.merge(script::expanded(cx, &value.text));
                out.approve(
                    "remote-code/subscript",
                    "a list of words that is expanded once more",
                );
            }
        }
    }
    let has = |letter: &str| Options::read(args, "fp", &[]).has(&[letter]);
    match name {
        "enable" if has("f") => out.block("remote-code/loaded-builtin", "loads a library into the shell"),
        "hash" if has("p") => out.block(
            "persistence/hashed-path",
            "another program in the place of a known one",
        ),
        _ => {}
    }
}

/// Judges a text that bash takes for a variable: what its subscript substitutes is run.
pub(super) fn subscript(cx: &Cx<'_>, text: &str, out: &mut Judgement) {
    if is_run(text) {
        out.merge(script::expanded(cx, text));
        out.approve("remote-code/subscript", "a subscript that runs a command");
    }
}

/// Whether a name is followed by a subscript with a substitution in it.
fn is_run(text: &str) -> bool {
    text.match_indices('[').any(|(at, _)| {
        let is_name = text
            .get(..at)
            .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
        let inner = text.get(at..).unwrap_or_default();
        let inner = inner.split(']').next().unwrap_or_default();
        is_name && (inner.contains("$(") || inner.contains('`'))
    })
}
