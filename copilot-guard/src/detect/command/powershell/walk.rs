//! Walks the tree of a script, with a cursor: as deep as it is, nothing recurses.

use std::collections::HashMap;
use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use super::super::super::judgement::{Class, Danger};
use super::eval::{Eval, name_of};
use super::script::Script;
use super::value::Value;
use super::{Arg, files, normal, rough};

/// How often the parser may report before it is stopped: it does so every hundred steps.
const STEPS_PER_BYTE: usize = 2;
const MIN_STEPS: usize = 4096;

/// Parses and judges a script.
pub(super) fn script(script: &mut Script<'_>, source: &str) {
    rough::anywhere(script, source);
    let Some(mut tree) = parse(source) else {
        rough::judge(script, source);
        return;
    };
    // What PowerShell takes and the grammar does not is written so that both take it.
    let mended = if tree.root_node().has_error() {
        normal::mended(source)
    } else {
        None
    };
    let mended = mended.and_then(|text| {
        parse(&text)
            .filter(|t| !t.root_node().has_error())
            .map(|tree| (text, tree))
    });
    let source = match &mended {
        Some((text, better)) => {
            tree = better.clone();
            text.as_str()
        }
        None => source,
    };
    let root = tree.root_node();
    let mut walk = Walk {
        eval: Eval::new(source),
        unstable: unstable(root, source),
        hides_variables: hides_variables(source),
        item: None,
    };
    each(root, |node| walk.visit(script, node));
    if root.has_error() {
        rough::judge(script, source);
    }
}

fn parse(source: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_powershell::LANGUAGE.into())
        .ok()?;
    let mut steps = MIN_STEPS + source.len() * STEPS_PER_BYTE / 100;
    let mut progress = |_: &tree_sitter::ParseState| {
        steps = steps.saturating_sub(1);
        if steps == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    parser.parse_with_options(
        &mut |at, _| source.as_bytes().get(at..).unwrap_or_default(),
        None,
        Some(options),
    )
}

/// Every named node, parents first.
fn each<'t>(root: Node<'t>, mut visit: impl FnMut(Node<'t>)) {
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        if node.is_named() {
            visit(node);
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// Whether variables may be set in ways that are not followed.
fn hides_variables(source: &str) -> bool {
    let lower = source.to_ascii_lowercase();
    [
        "set-variable",
        "new-variable",
        "variable:",
        "-outv",
        "-ov ",
        "[ref]",
        "sv ",
        "nv ",
        "-pipelinev",
        "-pv ",
    ]
    .iter()
    .any(|s| lower.contains(s))
}

/// Variables that are assigned several times, and not all of them one after the other: which value they have where is not
/// known.
fn unstable(root: Node<'_>, source: &str) -> HashMap<String, bool> {
    let mut times: HashMap<String, (u32, bool)> = HashMap::new();
    let mut blocks: Vec<usize> = Vec::new();
    if !source.contains('{') {
        return HashMap::new();
    }
    each(root, |node| match node.kind() {
        "statement_block" | "script_block" | "script_block_body" | "function_statement" => {
            while blocks.last().is_some_and(|end| *end <= node.start_byte()) {
                blocks.pop();
            }
            blocks.push(node.end_byte());
        }
        "assignment_expression" => {
            while blocks.last().is_some_and(|end| *end <= node.start_byte()) {
                blocks.pop();
            }
            let left = node
                .named_child(0)
                .and_then(|n| source.get(n.byte_range()))
                .unwrap_or_default();
            for name in left.split(',') {
                let known = times.entry(name_of(variable_in(name))).or_default();
                known.0 += 1;
                known.1 |= !blocks.is_empty();
            }
        }
        "foreach_statement" | "script_parameter" => {
            if let Some(name) = node.named_child(0).and_then(|n| source.get(n.byte_range())) {
                times.insert(name_of(variable_in(name)), (2, true));
            }
        }
        _ => {}
    });
    times
        .into_iter()
        .filter(|(_, (n, nested))| *n > 1 && *nested)
        .map(|(name, _)| (name, true))
        .collect()
}

/// The beginning and the end of a text: chains of calls hold each other, and reading each in full would be slow.
pub(super) fn ends(text: &str) -> String {
    if text.len() <= 512 {
        return text.to_owned();
    }
    let (head, tail) = (
        text.floor_char_boundary(256),
        text.ceil_char_boundary(text.len() - 256),
    );
    format!(
        "{} {}",
        text.get(..head).unwrap_or_default(),
        text.get(tail..).unwrap_or_default()
    )
}

/// The variable behind types: `[string]$x`.
fn variable_in(text: &str) -> &str {
    text.find('$')
        .and_then(|at| text.get(at..))
        .unwrap_or(text)
        .trim()
}

pub(super) struct Walk<'t> {
    pub(super) eval: Eval<'t>,
    unstable: HashMap<String, bool>,
    hides_variables: bool,
    /// What the loop of a pipeline goes over: `$_`.
    item: Option<Value>,
}

impl<'t> Walk<'t> {
    fn visit(&mut self, script: &mut Script<'_>, node: Node<'t>) {
        match node.kind() {
            "pipeline_chain" => self.chain(script, node),
            "assignment_expression" => self.assign(script, node),
            "invokation_expression" => self.call(script, node),
            "member_access" => {
                if let Some(member) = node.named_child(1) {
                    let name = self.eval.at_name(member, 0).to_ascii_lowercase();
                    // Only a call does something; a name that is computed may be anything.
                    if matches!(name.as_str(), "responsetext" | "responsebody") {
                        script.member(&name, self.eval.src(node));
                    }
                }
            }
            "type_literal" => script.type_named(&self.eval.type_of(node)),
            "variable" | "braced_variable" => self.variable(script, node),
            "script_block_expression" => {}
            "redirection" => {
                if let Some(file) = node.named_child(1) {
                    let target = self.eval.src(file).trim();
                    files::write_to(script, target);
                }
            }
            "function_statement" => {
                if let Some(name) = node.named_child(0) {
                    let name = self.eval.src(name).trim().to_ascii_lowercase();
                    if matches!(name.as_str(), "prompt" | "global:prompt") {
                        script.found(
                            "persistence/prompt",
                            Class::Persistence,
                            Danger::Approve,
                            "runs with every prompt",
                        );
                    }
                }
            }
            _ => {}
        }
    }

    /// One pipeline: each command with what stands before it.
    fn chain(&mut self, script: &mut Script<'_>, node: Node<'t>) {
        let mut cursor = node.walk();
        let parts: Vec<Node<'t>> = node.named_children(&mut cursor).collect();
        let mut input: Option<Value> = None;
        let last = parts.len().saturating_sub(1);
        if let Some(first) = parts.first().filter(|_| last > 0) {
            self.item = Some(self.eval.value(*first));
        }
        for (at, part) in parts.into_iter().enumerate() {
            match part.kind() {
                "command" => {
                    let before = input.take();
                    // What a command gives is known if it is an echo; else its text says where it reads.
                    if at < last {
                        input = Some(self.eval.value(part));
                    }
                    self.command(script, part, before);
                }
                "redirections" | "verbatim_command_argument" => {}
                _ if at < last => input = Some(self.eval.value(part)),
                _ => {}
            }
        }
    }

    fn command(&mut self, script: &mut Script<'_>, node: Node<'t>, input: Option<Value>) {
        let mut path = None;
        let mut args = Vec::new();
        let mut cursor = node.walk();
        let parts: Vec<Node<'t>> = node.named_children(&mut cursor).collect();
        for part in parts {
            match part.kind() {
                "command_invokation_operator" => {}
                "command_name" => {
                    let text = self.eval.src(part);
                    let dynamic = text.contains('$');
                    path = Some((text.replace(['"', '\'', '`'], ""), dynamic));
                }
                "command_name_expr" => {
                    let is_block = part
                        .named_child(0)
                        .is_some_and(|n| n.kind() == "script_block_expression");
                    if is_block {
                        // What is in the block is judged where it stands.
                        return;
                    }
                    let value = self.eval.value(part);
                    path = Some(match value.is_known() {
                        true => (value.joined(""), false),
                        false => (self.shown(part, &value), true),
                    });
                }
                "command_elements" => self.elements(script, part, &mut args),
                "verbatim_command_argument" => {
                    let text = self.eval.src(part).trim_start_matches("--%");
                    args.extend(text.split_whitespace().map(|w| Arg {
                        text: w.trim_matches('"').to_owned(),
                        ..Arg::default()
                    }));
                }
                _ => {}
            }
        }
        match path {
            Some((path, dynamic)) => {
                let goes_over = |arg: &Arg| arg.text.starts_with("$_") || arg.text.starts_with("$psitem");
                let input = input.or_else(|| self.item.clone().filter(|_| args.iter().any(goes_over)));
                script.command(path.trim(), dynamic, args, input);
            }
            None => script.found(
                "unclear/not-parsed",
                Class::Unclear,
                Danger::Approve,
                "a command without a name",
            ),
        }
    }

    /// A value that is not known in a command's place: with its source, where tricks can be seen.
    fn shown(&self, node: Node<'t>, value: &Value) -> String {
        let source = self.eval.src(node);
        let text = value.text();
        if source.starts_with(['"', '\'']) || source.starts_with('$') && !source.contains(['[', '(']) {
            text
        } else {
            source.chars().take(256).collect()
        }
    }

    /// The arguments: pieces that touch are one word.
    fn elements(&mut self, script: &mut Script<'_>, node: Node<'t>, args: &mut Vec<Arg>) {
        let mut cursor = node.walk();
        let pieces: Vec<Node<'t>> = node.children(&mut cursor).collect();
        let mut end = usize::MAX;
        for piece in pieces {
            let touches = piece.start_byte() == end;
            let arg = match piece.kind() {
                "command_argument_sep" => {
                    if self.eval.src(piece).trim() != ":" {
                        continue;
                    }
                    Arg {
                        text: ":".to_owned(),
                        ..Arg::default()
                    }
                }
                "redirection" => continue,
                "stop_parsing" => {
                    let text = self.eval.src(piece).trim_start_matches("--%");
                    args.extend(text.split_whitespace().map(|w| Arg {
                        text: w.trim_matches('"').to_owned(),
                        ..Arg::default()
                    }));
                    continue;
                }
                "script_block_expression" => Arg {
                    block: true,
                    quoted: true,
                    text: String::new(),
                    dynamic: false,
                },
                "array_literal_expression" if self.is_block(piece) => Arg {
                    block: true,
                    quoted: true,
                    text: String::new(),
                    dynamic: false,
                },
                "generic_token" | "command_parameter" => {
                    let value = self.eval.value(piece);
                    Arg {
                        dynamic: !value.is_known(),
                        text: value.text(),
                        ..Arg::default()
                    }
                }
                "," => Arg {
                    text: ",".to_owned(),
                    ..Arg::default()
                },
                _ => {
                    let value = self.eval.value(piece);
                    let source = self.eval.src(piece);
                    Arg {
                        dynamic: !value.is_known(),
                        text: value.joined(","),
                        // `$x` holding `-Recurse` is no parameter either.
                        quoted: !source.starts_with('-') || source.len() > 64,
                        block: false,
                    }
                }
            };
            match args.last_mut() {
                Some(last) if touches && !last.block && !arg.block => {
                    last.text.push_str(&arg.text);
                    last.dynamic |= arg.dynamic;
                }
                _ => args.push(arg),
            }
            end = piece.end_byte();
            if args.len() > 4096 {
                script.found(
                    "unclear/out-of-bounds",
                    Class::Unclear,
                    Danger::Approve,
                    "too many arguments",
                );
                return;
            }
        }
    }

    fn is_block(&self, node: Node<'t>) -> bool {
        let source = self.eval.src(node);
        source.starts_with('{') && source.ends_with('}')
    }

    fn assign(&mut self, script: &mut Script<'_>, node: Node<'t>) {
        let (Some(left), Some(right)) = (node.named_child(0), node.child_by_field_name("value")) else {
            return;
        };
        let target = self.eval.src(left).trim();
        let op = node.named_child(1).map(|n| self.eval.src(n)).unwrap_or_default();
        let is_simple = !target.contains(['.', '(', ',']) && !variable_in(target).contains('[');
        let name = name_of(variable_in(target));
        if !is_simple {
            for name in target.split(',') {
                let name = name_of(
                    variable_in(name)
                        .split(['.', '[', '('])
                        .next()
                        .unwrap_or_default(),
                );
                self.eval.set(name.clone(), Value::Part(format!("${name}")));
            }
            return;
        }
        let value = match self.eval.value(right) {
            // Of a string with variables in it something is known; of what a command gives, nothing.
            Value::Part(_)
                if !self.eval.src(right).trim_start().starts_with(['"', '@'])
                    && !ends(self.eval.src(right)).contains("oin-") =>
            {
                Value::Part(format!("${name}"))
            }
            value => value,
        };
        let value = match op {
            "=" => value,
            "+=" => match self.eval.get(&name).cloned() {
                Some(before) => before.plus(value),
                None => Value::Part(value.text()),
            },
            _ => Value::unknown(),
        };
        if let Some(variable) = name.strip_prefix("env:") {
            script.set_environment(&format!("{variable}={}", value.text()));
        }
        if name.starts_with("function:") || name.starts_with("alias:") {
            script.found(
                "unclear/redefines",
                Class::Unclear,
                Danger::Approve,
                "gives a command another meaning",
            );
        }
        let is_stable = !self.hides_variables && !self.unstable.contains_key(&name);
        let value = if is_stable || !value.is_known() {
            value
        } else {
            Value::Part(value.text())
        };
        self.eval.set(name, value);
    }

    /// A variable that is read, or written: secrets in the environment.
    fn variable(&mut self, script: &mut Script<'_>, node: Node<'t>) {
        let name = name_of(self.eval.src(node));
        let Some(variable) = name.strip_prefix("env:") else {
            return;
        };
        let is_secret = [
            "token",
            "secret",
            "password",
            "passwd",
            "api_key",
            "apikey",
            "access_key",
            "private_key",
            "credential",
        ]
        .iter()
        .any(|w| variable.contains(w));
        // One that the script set itself is none of the machine's.
        if is_secret && self.eval.get(&name).is_none() {
            let source = self.eval.src(node);
            let after = self.eval.after(node);
            if !after.trim_start().starts_with('=') && !source.is_empty() {
                script.facts.secret = true;
                script.found(
                    "reconnaissance/secret-variable",
                    Class::Reconnaissance,
                    Danger::Approve,
                    "reads a secret from the environment",
                );
            }
        }
    }
}
