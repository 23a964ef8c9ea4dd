//! Commands within files: manifests, settings, workflows, recipes of images, makefiles.

use std::collections::HashMap;

use super::super::command::Shell;
use super::guess;
use crate::json::{Document, Limits, Value};

/// A command in a file.
pub(super) enum Found {
    Shell(Shell, String),
    Argv(Vec<String>),
}

/// Members of settings whose text is a command of a shell.
const COMMAND_KEYS: [&str; 12] = [
    "command",
    "postcreatecommand",
    "poststartcommand",
    "postattachcommand",
    "initializecommand",
    "oncreatecommand",
    "updatecontentcommand",
    "preinstall",
    "postinstall",
    "script",
    "shellcommand",
    "run",
];

/// Scripts of a manifest; of a part of one, every member that looks like a command.
pub(super) fn package(text: &str) -> Vec<Found> {
    let document = Document::parse(text.as_bytes(), Limits::with_bytes(1 << 20)).ok();
    if let Some(root) = document
        .as_ref()
        .map(Document::root)
        .filter(|root| root.is_object())
    {
        let scripts = root.get("scripts").into_iter().flat_map(Value::entries);
        return scripts
            .filter_map(|(_, v)| v.as_str())
            .map(|s| bash(s.into_owned()))
            .collect();
    }
    pairs(text)
        .into_iter()
        .flat_map(|pair| pair.values)
        .filter(|value| guess::is_command(value))
        .map(bash)
        .collect()
}

/// Commands of tasks, servers, hooks and containers, with the arguments that stand beside them.
pub(super) fn json_commands(text: &str) -> Vec<Found> {
    let pairs = pairs(text);
    let args: HashMap<usize, &[String]> = pairs
        .iter()
        .filter(|p| p.name == "args")
        .map(|p| (p.object, p.values.as_slice()))
        .collect();
    let mut found = Vec::new();
    for pair in pairs
        .iter()
        .filter(|p| COMMAND_KEYS.contains(&p.name.to_lowercase().as_str()))
    {
        match (pair.values.as_slice(), args.get(&pair.object)) {
            ([], _) => {}
            ([command], None) => found.push(bash(command.clone())),
            ([command], Some(args)) if command.contains(' ') => {
                found.push(bash(format!("{command} {}", args.join(" "))));
            }
            ([command], Some(args)) => {
                found.push(Found::Argv(
                    std::iter::once(command).chain(args.iter()).cloned().collect(),
                ));
            }
            (argv, _) => found.push(Found::Argv(argv.to_vec())),
        }
    }
    found
}

/// A member whose value is a text or a list of texts.
struct Pair {
    name: String,
    values: Vec<String>,
    /// The object that it stands in.
    object: usize,
}

/// Members of JSON with comments, of TOML, or of a part of either.
fn pairs(text: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut objects = vec![0];
    let mut count = 0;
    let mut last: Option<String> = None;
    let mut word = String::new();
    let mut in_list = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => {
                let value = quoted(&mut chars, c);
                match pairs.last_mut().filter(|_| in_list) {
                    Some(list) => list.values.push(value),
                    None => last = Some(value),
                }
            }
            ':' | '=' if !in_list => {
                let name = last.take().unwrap_or_else(|| std::mem::take(&mut word));
                while chars.peek().is_some_and(|c| c.is_whitespace()) {
                    chars.next();
                }
                let object = objects.last().copied().unwrap_or_default();
                let values = match chars.peek().copied() {
                    Some(quote @ ('"' | '\'')) => {
                        chars.next();
                        vec![quoted(&mut chars, quote)]
                    }
                    Some('[') => {
                        chars.next();
                        in_list = true;
                        Vec::new()
                    }
                    _ => continue,
                };
                pairs.push(Pair { name, values, object });
            }
            '{' => {
                in_list = false;
                count += 1;
                objects.push(count);
            }
            '}' => {
                in_list = false;
                objects.pop();
            }
            ']' => in_list = false,
            // A table of TOML.
            '[' if !in_list && objects.len() <= 1 => {
                count += 1;
                objects = vec![count];
            }
            '/' if chars.peek() == Some(&'/') => while chars.next().is_some_and(|c| c != '\n') {},
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                let mut before = ' ';
                for c in chars.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            '\n' => word.clear(),
            _ if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => word.push(c),
            _ => {}
        }
    }
    pairs
}

/// The rest of a text in quotes.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> String {
    let mut value = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    value.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                }
                other => value.extend(other),
            },
            _ if c == quote => break,
            _ => value.push(c),
        }
    }
    value
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
        if !(value.is_empty() || value.starts_with(['|', '>'])) {
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
        if !(is_recipe || !command.is_empty()) {
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
