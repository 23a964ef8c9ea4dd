//! Commands within files: workflows, recipes of images, makefiles; [`super::extract_json`] has manifests and settings.

use super::super::command::Shell;
use crate::json::{Document, Limits};

/// A command in a file.
pub(super) enum Found {
    Shell(Shell, String),
    Argv(Vec<String>),
}

const YAML_KEYS: [&str; 12] = [
    "run",
    "script",
    "before_script",
    "after_script",
    "bash",
    "sh",
    "pwsh",
    "powershell",
    "command",
    "cmd",
    "entrypoint",
    "inlinescript",
];

/// Steps of workflows: scalars, blocks and lists under the names of [`YAML_KEYS`]; `sh '…'` of a Jenkinsfile.
pub(super) fn yaml(text: &str) -> Vec<Found> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let indent = indent(line);
        let bare = line.trim_start().trim_start_matches("- ").trim_start();
        found.extend(groovy(bare));
        let Some((key, value)) = bare.split_once(':') else {
            continue;
        };
        let key = key.trim_matches(['"', '\'', ' ']).to_lowercase();
        if !YAML_KEYS.contains(&key.as_str()) {
            continue;
        }
        let shell = if matches!(key.as_str(), "pwsh" | "powershell") {
            Shell::PowerShell
        } else {
            Shell::Bash
        };
        let value = value.trim();
        if !value.is_empty() && !value.starts_with(['|', '>']) {
            match value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
                Some(list) => found.push(Found::Argv(list.split(',').map(|v| unquoted(v.trim())).collect())),
                None => found.push(Found::Shell(shell, expressions(&unquoted(value)))),
            }
            continue;
        }
        let from = at;
        while lines.get(at).is_some_and(|l| {
            l.trim().is_empty()
                || self::indent(l) > indent
                || value.is_empty() && self::indent(l) == indent && l.trim_start().starts_with("- ")
        }) {
            at += 1;
        }
        let block = lines.get(from..at).unwrap_or_default();
        let joined: Vec<String> = block
            .iter()
            .map(|l| {
                if value.is_empty() {
                    unquoted(l.trim_start().trim_start_matches("- ").trim())
                } else {
                    l.trim().to_owned()
                }
            })
            .collect();
        found.push(Found::Shell(
            shell,
            expressions(&joined.join(if value.starts_with('>') { " " } else { "\n" })),
        ));
    }
    found
}

fn groovy(line: &str) -> Option<Found> {
    let (shell, rest) = [
        ("sh ", Shell::Bash),
        ("sh(", Shell::Bash),
        ("powershell ", Shell::PowerShell),
        ("pwsh ", Shell::PowerShell),
    ]
    .iter()
    .find_map(|(mark, shell)| line.strip_prefix(mark).map(|rest| (*shell, rest)))?;
    let rest = rest.trim_end_matches(')').trim();
    rest.starts_with(['\'', '"'])
        .then(|| Found::Shell(shell, rest.trim_matches(['\'', '"']).to_owned()))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn unquoted(value: &str) -> String {
    let inner = |quote: char| value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(value).to_owned()
}

/// Expressions of a workflow are variables to a shell; those of secrets are secret ones.
fn expressions(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        plain.push_str(before);
        let (inner, behind) = after.split_once("}}").unwrap_or((after, ""));
        plain.push_str(if inner.contains("secrets.") || inner.contains("token") {
            "$GITHUB_TOKEN"
        } else {
            "$WORKFLOW_VALUE"
        });
        rest = behind;
    }
    plain.push_str(rest);
    plain
}

/// What an image runs when it is built and started.
pub(super) fn dockerfile(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let Some((word, rest)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        if !["run", "cmd", "entrypoint", "healthcheck"].contains(&word.to_lowercase().as_str()) {
            continue;
        }
        let mut command = rest.trim().to_owned();
        while command.ends_with('\\') {
            command.pop();
            match lines.next() {
                Some(next) if next.trim_start().starts_with('#') => command.push('\\'),
                Some(next) => {
                    command.push(' ');
                    command.push_str(next.trim());
                }
                None => break,
            }
        }
        while let Some(rest) = command.strip_prefix("--") {
            command = rest
                .split_once(' ')
                .map_or(String::new(), |(_, rest)| rest.trim_start().to_owned());
        }
        if let Some(mark) = command.strip_prefix("<<") {
            let mark = mark.trim_start_matches('-').trim_matches(['"', '\'']).to_owned();
            let body: Vec<&str> = lines.by_ref().take_while(|l| l.trim() != mark).collect();
            command = body.join("\n");
        }
        found.push(match list(&command) {
            Some(argv) => Found::Argv(argv),
            None => bash(command),
        });
    }
    found
}

fn list(text: &str) -> Option<Vec<String>> {
    let document = Document::parse(text.as_bytes(), Limits::with_bytes(1 << 16)).ok()?;
    let root = document.root();
    root.is_array().then(|| {
        root.items()
            .filter_map(|v| v.as_str().map(|s| s.into_owned()))
            .collect()
    })
}

/// Recipes of a makefile, or of a justfile.
pub(super) fn makefile(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut command = String::new();
    for line in text.lines() {
        let is_recipe = line.starts_with(['\t', ' ']);
        if !is_recipe && command.is_empty() {
            // `NAME := $(shell …)` and `NAME != …` run when the file is read.
            found.extend(shell_calls(line).map(|inner| bash(make_variables(inner))));
            if let Some((name, inner)) = line
                .split_once("!=")
                .filter(|(name, _)| !name.contains(['(', '"']))
            {
                found.extend((!name.trim().is_empty()).then(|| bash(make_variables(inner.trim()))));
            }
            continue;
        }
        command.push_str(line.trim().trim_start_matches(['@', '-', '+']));
        if command.ends_with('\\') {
            command.pop();
            command.push(' ');
        } else {
            let whole = make_variables(&std::mem::take(&mut command));
            if !whole.is_empty() {
                found.push(bash(whole));
            }
        }
    }
    found
}

/// What stands in each `$(shell …)` of a line.
fn shell_calls(line: &str) -> impl Iterator<Item = &str> {
    const MARK: &str = "$(shell ";
    line.match_indices(MARK).map(|(at, _)| {
        let inner = line.get(at + MARK.len()..).unwrap_or_default();
        let mut depth = 1_usize;
        let end = inner.find(|c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        end.and_then(|end| inner.get(..end)).unwrap_or(inner)
    })
}

/// `$(NAME)` is a variable to make, `$(shell …)` a command, and `$$` is a dollar.
fn make_variables(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('$', Some('$')) => {
                chars.next();
                plain.push('$');
            }
            ('$', Some('(')) => {
                let rest: String = chars.clone().skip(1).take(6).collect();
                if rest.starts_with("shell ") {
                    chars.nth(6);
                    plain.push_str("$(");
                } else {
                    let name: String = chars.by_ref().skip(1).take_while(|c| *c != ')').collect();
                    plain.push_str(if name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                        "MAKE_"
                    } else {
                        "MAKE"
                    });
                }
            }
            ('$', Some('@' | '<' | '^' | '?' | '*' | '+')) => {
                chars.next();
                plain.push_str("MAKE_FILE");
            }
            ('{', Some('{')) => {
                // A variable of a justfile.
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '}' && c == '}' {
                        break;
                    }
                    last = c;
                }
                plain.push_str("JUST_VALUE");
            }
            _ => plain.push(c),
        }
    }
    plain
}

fn bash(text: String) -> Found {
    Found::Shell(Shell::Bash, text)
}
