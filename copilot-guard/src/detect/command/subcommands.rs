//! Programs with a subcommand that runs another: package managers, environments, containers.

use super::argv::{Call, Outcome};
use super::opts::Options;
use super::words::Word;
use super::wrapper_table::SUBCOMMANDS;
use super::wrappers::{Peel, inner, joined, with};
use super::{interpreters, literal, programs};

/// `poetry run …` and the like, containers, and programs whose options are commands.
pub(super) fn subcommand<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    if let Some((_, verbs)) = SUBCOMMANDS.iter().find(|(name, _)| *name == call.name)
        && let Some((at, verb)) = verb_of(call.args, verbs)
    {
        let rest = call.args.get(at + 1..).unwrap_or_default();
        match (call.name, verb) {
            // The verb is the program.
            ("yarn", "node") => return Peel::Inner(call.args.get(at..).unwrap_or_default()),
            ("rails", _) => {
                let code = rest.iter().find(|arg| !arg.text.starts_with('-'));
                if let Some(code) = code.filter(|code| code.text.contains([' ', '(', '.', '`'])) {
                    interpreters::run_text(call.cx, "ruby", &code.text, out);
                }
                return Peel::Done;
            }
            ("mix", _) => return Peel::Owned(with("elixir", rest), 0),
            ("rustup", _) => return Peel::Inner(inner(rest, "", &[], 1)),
            ("bun", "exec") => {
                out.script(call, &joined(rest));
                return Peel::Done;
            }
            _ => {}
        }
        let is_package =
            matches!(verb, "dlx" | "x") || matches!((call.name, verb), ("npm", "exec") | ("pipx", "run"));
        if is_package {
            return packaged(call, rest, out);
        }
        let scripts = Options::read(rest, "c", &["command"]);
        for text in scripts.values(&["command"]) {
            out.script(call, &text.text);
        }
        let rest = match rest.iter().position(|arg| arg.text == "--") {
            Some(at) => rest.get(at + 1..).unwrap_or_default(),
            None => inner(
                rest,
                "npC",
                &[
                    "with",
                    "extra",
                    "group",
                    "env-file",
                    "project",
                    "directory",
                    "python",
                    "name",
                ],
                usize::from(matches!(
                    call.name,
                    "aws-vault" | "chamber" | "direnv" | "lxc" | "multipass"
                )),
            ),
        };
        return Peel::Inner(rest);
    }
    match call.name {
        "docker" | "compose" | "kubectl" => super::containers::peel(call, out),
        "find" | "fd" => super::search::peel(call, out),
        name if programs::SHELLS.contains(&name) => interpreters::shell(call, out),
        name if programs::INTERPRETERS.contains(&name) => interpreters::language(call, out),
        "source" | "." => interpreters::source(call, out),
        _ => {
            let known = literal::output(call.name, call.args, call.stdin);
            if let Some(flow) = known {
                out.out = flow;
            }
            Peel::Not
        }
    }
}

/// The place of a verb: the first operand, behind options and what may be their values.
fn verb_of<'w>(args: &'w [Word], verbs: &[&str]) -> Option<(usize, &'w str)> {
    let mut at = 0;
    loop {
        let text = args.get(at)?.text.as_str();
        if verbs.contains(&text) {
            return Some((at, text));
        }
        if !text.starts_with(['-', '+']) {
            return None;
        }
        let next = args.get(at + 1).map_or("", |arg| arg.text.as_str());
        let is_value =
            text.starts_with('-') && !text.contains('=') && !next.starts_with('-') && !verbs.contains(&next);
        at += 1 + usize::from(is_value);
    }
}

/// `npx`, `uvx`: a package is fetched by its name and run.
pub(super) fn packaged<'a>(call: &Call<'a>, args: &'a [Word], out: &mut Outcome) -> Peel<'a> {
    let options = Options::read(
        args,
        "pc",
        &["package", "call", "from", "with", "index", "index-url", "python"],
    );
    for text in options.values(&["c", "call"]) {
        out.script(call, &text.text);
    }
    for source in options.values(&["p", "package", "from", "with", "index", "index-url"]) {
        super::packages::source(call.cx, source, &mut out.judgement);
    }
    let rest = inner(
        args,
        "pc",
        &["package", "call", "from", "with", "index", "index-url", "python"],
        0,
    );
    if let Some(package) = rest.first() {
        super::packages::source(call.cx, package, &mut out.judgement);
    }
    Peel::Inner(rest)
}
