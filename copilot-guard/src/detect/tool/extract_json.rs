//! Commands within manifests and settings: JSON, JSON with comments, TOML, and parts of them.

use std::collections::HashMap;

use super::super::command::Shell;
use super::extract::Found;
use super::guess;
use crate::json::{Document, Limits, Value};

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

fn bash(text: String) -> Found {
    Found::Shell(Shell::Bash, text)
}
