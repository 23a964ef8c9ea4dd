//! Reads values off the tree of a script.

use std::collections::HashMap;

use tree_sitter::Node;

use super::super::decode;
use super::value::{self, MAX_VALUE, Value};

/// How deep expressions are followed.
const MAX_DEPTH: u8 = 24;
/// How much text one script may make altogether.
const BUDGET: usize = 1024 * 1024;

/// The variables of a script, and what may still be spent on it.
pub(super) struct Eval<'t> {
    src: &'t str,
    vars: HashMap<String, Value>,
    budget: usize,
}

impl<'t> Eval<'t> {
    pub(super) fn new(src: &'t str) -> Self {
        Self {
            src,
            vars: HashMap::new(),
            budget: BUDGET,
        }
    }

    /// The source of a node.
    pub(super) fn src(&self, node: Node<'_>) -> &'t str {
        self.src.get(node.byte_range()).unwrap_or_default()
    }

    /// Sets a variable, named as [`name_of`] gives it.
    pub(super) fn set(&mut self, name: String, value: Value) {
        self.vars.insert(name, value);
    }

    /// The value of a variable that was assigned.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.vars.get(name)
    }

    /// What a node comes to.
    pub(super) fn value(&mut self, node: Node<'_>) -> Value {
        let value = self.at(node, 0);
        let size = match &value {
            Value::List(items) => items.len() * 8,
            Value::Bytes(bytes) => bytes.len(),
            Value::Text(text) | Value::Part(text) => text.len(),
            Value::Int(_) => 8,
        };
        match self.budget.checked_sub(size) {
            Some(rest) => {
                self.budget = rest;
                value
            }
            None => Value::unknown(),
        }
    }

    fn at(&mut self, mut node: Node<'_>, depth: u8) -> Value {
        if depth > MAX_DEPTH || self.budget == 0 {
            return Value::unknown();
        }
        // Most expressions are a dozen nodes around one.
        while node.child_count() == 1 || matches!(node.kind(), "parenthesized_expression") {
            match node.named_child(0) {
                Some(inner) if node.named_child_count() == 1 => {
                    if matches!(node.kind(), "command" | "expandable_string_literal") {
                        break;
                    }
                    node = inner;
                }
                _ => break,
            }
        }
        let depth = depth + 1;
        match node.kind() {
            "verbatim_string_characters" => {
                let text = self.src(node);
                let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                Value::Text(inner.replace("''", "'"))
            }
            "verbatim_here_string_characters" => {
                let text = self.src(node);
                let inner = text.split_once('\n').and_then(|(_, t)| t.rsplit_once('\n'));
                Value::Text(inner.map_or("", |(t, _)| t).to_owned())
            }
            "expandable_string_literal" | "expandable_here_string_literal" => self.expandable(node, depth),
            "decimal_integer_literal" | "hexadecimal_integer_literal" => {
                Value::Text(self.src(node).to_owned())
                    .int()
                    .map_or_else(Value::unknown, Value::Int)
            }
            "variable" | "braced_variable" => self.variable(self.src(node)),
            "generic_token"
            | "command_parameter"
            | "path_command_name_token"
            | "command_name"
            | "simple_name" => self.bare(self.src(node)),
            "path_command_name" => {
                let parts = self.children(node, depth);
                let known = parts.iter().all(Value::is_known);
                Value::of(Value::List(parts).joined(""), known)
            }
            "additive_expression" | "additive_argument_expression" => self.sum(node, depth),
            "multiplicative_expression" | "multiplicative_argument_expression" => {
                let (Some(a), Some(b)) = (node.named_child(0), node.named_child(1)) else {
                    return Value::unknown();
                };
                match (self.at(a, depth), self.at(b, depth).int()) {
                    (Value::Text(text), Some(n)) if self.src(node).contains('*') => {
                        let n = usize::try_from(n).unwrap_or(0);
                        if text.len().saturating_mul(n) > MAX_VALUE {
                            return Value::unknown();
                        }
                        Value::Text(text.repeat(n))
                    }
                    _ => Value::unknown(),
                }
            }
            "format_expression" | "format_argument_expression" => {
                let (Some(a), Some(b)) = (
                    node.named_child(0),
                    node.named_child(node.named_child_count() as u32 - 1),
                ) else {
                    return Value::unknown();
                };
                let (pattern, items) = (self.at(a, depth), self.at(b, depth));
                let known = pattern.is_known() && items.is_known();
                match value::format(&pattern.text(), &items.items()) {
                    Some(text) => Value::of(text, known),
                    None => Value::unknown(),
                }
            }
            "range_expression" | "range_argument_expression" => {
                let (Some(a), Some(b)) = (node.named_child(0), node.named_child(1)) else {
                    return Value::unknown();
                };
                match (self.at(a, depth).int(), self.at(b, depth).int()) {
                    (Some(a), Some(b)) if a.abs_diff(b) < 4096 => Value::List(if a <= b {
                        (a..=b).map(Value::Int).collect()
                    } else {
                        (b..=a).rev().map(Value::Int).collect()
                    }),
                    _ => Value::unknown(),
                }
            }
            "array_literal_expression" | "argument_expression_list" => {
                Value::List(self.children(node, depth))
            }
            "comparison_expression" | "comparison_argument_expression" => self.compare(node, depth),
            "expression_with_unary_operator" => {
                let Some(inner) = node.named_child(node.named_child_count().saturating_sub(1) as u32) else {
                    return Value::unknown();
                };
                let inner = self.at(inner, depth);
                let op = self.src(node).trim_start().to_ascii_lowercase();
                if op.starts_with("-join") {
                    Value::of(inner.joined(""), inner.is_known())
                } else if op.starts_with(',') || op.starts_with('+') {
                    inner
                } else if op.starts_with('-') {
                    inner
                        .int()
                        .and_then(i64::checked_neg)
                        .map_or_else(Value::unknown, Value::Int)
                } else {
                    Value::unknown()
                }
            }
            "cast_expression" => {
                let (Some(kind), Some(inner)) = (node.named_child(0), node.named_child(1)) else {
                    return Value::unknown();
                };
                let inner = self.at(inner, depth);
                match self.type_of(kind).as_str() {
                    "char" => inner.chars(),
                    "char[]" => match inner {
                        Value::Text(text) => {
                            Value::List(text.chars().map(|c| Value::Text(c.to_string())).collect())
                        }
                        other => other.chars(),
                    },
                    "string" => Value::of(inner.text(), inner.is_known()),
                    "int" | "int32" | "byte" | "int64" | "long" => match (&inner, inner.int()) {
                        (_, Some(n)) => Value::Int(n),
                        _ => Value::unknown(),
                    },
                    "string[]" | "array" | "byte[]" | "int[]" | "object[]" | "uri" | "version" => inner,
                    _ => Value::Part(inner.text()),
                }
            }
            "element_access" => {
                let (Some(of), Some(index)) = (node.named_child(0), node.named_child(1)) else {
                    return Value::unknown();
                };
                let of = self.at(of, depth);
                let index = self.at(index, depth);
                of.at(&index)
            }
            "invokation_expression" => self.call(node, depth),
            "sub_expression" | "array_expression" | "statement_list" => {
                let inner = self.children(node, depth);
                match <[Value; 1]>::try_from(inner) {
                    Ok([one]) => one,
                    Err(inner) => Value::List(inner),
                }
            }
            "command" => self.echoed(node, depth),
            _ => Value::Part(self.src(node).chars().take(256).collect()),
        }
    }

    fn children(&mut self, node: Node<'_>, depth: u8) -> Vec<Value> {
        let mut cursor = node.walk();
        let nodes: Vec<Node<'_>> = node.named_children(&mut cursor).take(4096).collect();
        nodes
            .into_iter()
            .filter(|n| n.kind() != "empty_statement")
            .map(|n| self.at(n, depth))
            .collect()
    }

    /// A chain of `+` is as deep as it is long: it is followed down, not in.
    fn sum(&mut self, node: Node<'_>, depth: u8) -> Value {
        let kind = node.kind();
        let mut terms = Vec::new();
        let mut left = node;
        while left.kind() == kind && left.named_child_count() == 2 {
            let (Some(a), Some(b)) = (left.named_child(0), left.named_child(1)) else {
                break;
            };
            let is_plus = left.child(1).is_some_and(|op| op.kind() == "+");
            terms.push((b, is_plus));
            left = a;
        }
        let mut sum = self.at(left, depth);
        let mut spent = 0_usize;
        for (term, is_plus) in terms.into_iter().rev() {
            let term = self.at(term, depth);
            sum = if is_plus { sum.plus(term) } else { Value::unknown() };
            if let Value::Text(text) = &sum {
                // Each step copies what there is.
                spent = spent.saturating_add(text.len() / 16);
                if spent > self.budget {
                    return Value::unknown();
                }
            }
        }
        self.budget = self.budget.saturating_sub(spent);
        sum
    }

    fn expandable(&mut self, node: Node<'_>, depth: u8) -> Value {
        let is_here = node.kind() == "expandable_here_string_literal";
        let text = self.src(node);
        let (mut from, to) = if is_here {
            let first = text.find('\n').map_or(2, |at| at + 1);
            (first, text.rfind('\n').unwrap_or(text.len()).max(first))
        } else {
            (1, text.len().saturating_sub(1))
        };
        let start = node.start_byte();
        let mut out = String::new();
        let mut known = true;
        let mut cursor = node.walk();
        let inner: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
        for child in inner {
            let at = child.start_byte().saturating_sub(start);
            unescape(text.get(from..at).unwrap_or_default(), &mut out);
            let value = self.at(child, depth);
            known &= value.is_known();
            out.push_str(&value.text());
            from = child.end_byte().saturating_sub(start);
            if out.len() > MAX_VALUE {
                return Value::unknown();
            }
        }
        unescape(text.get(from..to).unwrap_or_default(), &mut out);
        Value::of(out, known)
    }

    /// What the arguments of a call come to.
    pub(super) fn args(&mut self, list: Node<'_>) -> Vec<Value> {
        self.children(list, 0)
    }

    /// What is written behind a node.
    pub(super) fn after(&self, node: Node<'_>) -> &'t str {
        self.src.get(node.end_byte()..).unwrap_or_default()
    }

    /// A variable by its source: what was assigned to it, or its name in lower case.
    pub(super) fn variable(&self, source: &str) -> Value {
        let name = name_of(source);
        match self.vars.get(&name) {
            Some(value) => value.clone(),
            None => match name.as_str() {
                "true" | "false" | "null" => Value::Text(String::new()),
                name => Value::Part(format!("${name}")),
            },
        }
    }

    /// A bare word, with variables in it.
    fn bare(&self, text: &str) -> Value {
        if !text.contains(['$', '"', '\'', '`']) {
            return Value::Text(text.to_owned());
        }
        let mut out = String::new();
        let mut known = true;
        let mut rest = text;
        while let Some(at) = rest.find(['$', '"', '\'', '`']) {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            if from.starts_with('$') {
                let length = from
                    .get(1..)
                    .unwrap_or_default()
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
                let end = length.map_or(from.len(), |n| n + 1);
                let (name, after) = from.split_at(end);
                let value = self.variable(name);
                known &= value.is_known() && name.len() > 1;
                out.push_str(&value.text());
                rest = after;
            } else {
                rest = from.get(1..).unwrap_or_default();
            }
            if out.len() > MAX_VALUE {
                return Value::unknown();
            }
        }
        out.push_str(rest);
        Value::of(out, known)
    }

    fn compare(&mut self, node: Node<'_>, depth: u8) -> Value {
        let (Some(a), Some(op), Some(b)) = (node.named_child(0), node.named_child(1), node.named_child(2))
        else {
            return Value::unknown();
        };
        let op = self.src(op).to_ascii_lowercase();
        let left = self.at(a, depth);
        let right = self.at(b, depth);
        let known = left.is_known() && right.is_known();
        match op.as_str() {
            "-join" => Value::of(left.joined(&right.text()), known),
            "-replace" | "-creplace" | "-ireplace" => {
                let mut with = right.items().into_iter();
                let pattern = with.next().unwrap_or_else(Value::unknown).text();
                let with = with.next().map(|v| v.text()).unwrap_or_default();
                match value::replace(&left.text(), &pattern, &with, true) {
                    Some(text) => Value::of(text, known),
                    None => Value::unknown(),
                }
            }
            "-split" | "-csplit" | "-isplit" => match (&left, &right) {
                (Value::Text(text), Value::Text(by)) if !by.is_empty() => Value::List(
                    text.split(by.as_str())
                        .map(|t| Value::Text(t.to_owned()))
                        .collect(),
                ),
                _ => Value::unknown(),
            },
            "-as" => left,
            _ => Value::unknown(),
        }
    }

    fn call(&mut self, node: Node<'_>, depth: u8) -> Value {
        let (Some(on), Some(member)) = (node.named_child(0), node.named_child(1)) else {
            return Value::unknown();
        };
        let args = node
            .named_child(2)
            .and_then(|list| list.named_child(0))
            .map_or_else(Vec::new, |list| self.children(list, depth));
        let member = self.at_name(member, depth).to_ascii_lowercase();
        let known = args.iter().all(Value::is_known);
        let first = args.first().map(Value::text).unwrap_or_default();
        let second = args.get(1).map(Value::text).unwrap_or_default();
        if on.kind() == "type_literal" {
            return match (self.type_of(on).as_str(), member.as_str()) {
                ("convert", "frombase64string") if known => {
                    decode::base64(&first).map_or_else(Value::unknown, Value::Bytes)
                }
                ("string", "join") => {
                    let rest = args.into_iter().skip(1).flat_map(Value::items).collect();
                    Value::of(Value::List(rest).joined(&first), known)
                }
                ("string", "concat") => Value::of(Value::List(args).joined(""), known),
                ("string", "format") => match value::format(&first, args.get(1..).unwrap_or_default()) {
                    Some(text) => Value::of(text, known),
                    None => Value::unknown(),
                },
                ("convert", "toint32" | "toint16" | "tobyte") => {
                    match (args.get(1).and_then(Value::int), args.first()) {
                        (Some(base @ 2..=16), Some(value)) => i64::from_str_radix(&value.text(), base as u32)
                            .map_or_else(|_| Value::unknown(), Value::Int),
                        (_, Some(value)) => value.int().map_or_else(Value::unknown, Value::Int),
                        _ => Value::unknown(),
                    }
                }
                ("convert", "tochar") => args.into_iter().next().unwrap_or_else(Value::unknown).chars(),
                ("scriptblock", "create") => Value::Part(first),
                _ => Value::Part(self.src(node).chars().take(256).collect()),
            };
        }
        if member == "getstring" {
            let encoding = self.src(on).to_ascii_lowercase();
            return match args.into_iter().next() {
                Some(Value::Bytes(bytes)) => {
                    Value::Text(if encoding.contains("unicode") && !encoding.contains("big") {
                        decode::utf16(&bytes)
                    } else {
                        String::from_utf8_lossy(&bytes).into_owned()
                    })
                }
                _ => Value::unknown(),
            };
        }
        let on = self.at(on, depth);
        let Value::Text(text) = on else {
            return Value::Part(self.src(node).chars().take(256).collect());
        };
        match (member.as_str(), known) {
            ("replace", true) => value::replace(&text, &first, &second, false)
                .map_or_else(Value::unknown, |t| Value::of(t, true)),
            ("tolower" | "tolowerinvariant" | "toupper" | "toupperinvariant" | "tostring" | "clone", _) => {
                Value::Text(text)
            }
            ("trim", true) if args.is_empty() => Value::Text(text.trim().to_owned()),
            ("tochararray", _) => Value::List(text.chars().map(|c| Value::Text(c.to_string())).collect()),
            ("split", true) if !first.is_empty() => {
                let any: Vec<char> = first.chars().collect();
                Value::List(
                    text.split(any.as_slice())
                        .map(|t| Value::Text(t.to_owned()))
                        .collect(),
                )
            }
            ("substring", true) => {
                let from = args
                    .first()
                    .and_then(Value::int)
                    .and_then(|n| usize::try_from(n).ok());
                let take = args.get(1).map_or(Some(usize::MAX), |n| {
                    n.int().and_then(|n| usize::try_from(n).ok())
                });
                match (from, take) {
                    (Some(from), Some(take)) => Value::Text(text.chars().skip(from).take(take).collect()),
                    _ => Value::unknown(),
                }
            }
            ("insert" | "remove", _) => Value::unknown(),
            _ => Value::Part(self.src(node).chars().take(256).collect()),
        }
    }

    /// A member's name: written out, or a value.
    pub(super) fn at_name(&mut self, member: Node<'_>, depth: u8) -> String {
        match member.named_child(0) {
            Some(inner) if inner.kind() == "simple_name" => self.src(inner).to_owned(),
            Some(inner) => match self.at(inner, depth) {
                Value::Text(text) => text,
                _ => "?".to_owned(),
            },
            None => self.src(member).to_owned(),
        }
    }

    /// A type in lower case, without `System.`.
    pub(super) fn type_of(&self, node: Node<'_>) -> String {
        let mut name = self.src(node).trim_start_matches('[').to_ascii_lowercase();
        name.retain(|c| !c.is_whitespace());
        if let Some(inner) = name.strip_suffix(']') {
            name = inner.to_owned();
        }
        name.strip_prefix("system.").map(str::to_owned).unwrap_or(name)
    }

    /// `(echo x)` is `x`, and `(Join-Path a b)` is `a/b`.
    fn echoed(&mut self, node: Node<'_>, depth: u8) -> Value {
        let source = Value::Part(self.src(node).chars().take(256).collect());
        let (Some(name), Some(elements)) = (node.named_child(0), node.named_child(1)) else {
            return source;
        };
        let name = self.src(name).to_ascii_lowercase();
        let is_path = name == "join-path";
        if (!is_path && !matches!(name.as_str(), "echo" | "write-output" | "write"))
            || elements.kind() != "command_elements"
        {
            return source;
        }
        let mut cursor = elements.walk();
        let nodes: Vec<Node<'_>> = elements
            .named_children(&mut cursor)
            .filter(|n| {
                !matches!(
                    n.kind(),
                    "command_argument_sep" | "command_parameter" | "redirection"
                )
            })
            .take(256)
            .collect();
        let values: Vec<Value> = nodes.into_iter().map(|n| self.at(n, depth)).collect();
        if is_path {
            let known = values.iter().all(Value::is_known);
            return Value::of(Value::List(values).joined("/"), known);
        }
        match <[Value; 1]>::try_from(values) {
            Ok([one]) => one,
            Err(values) => Value::List(values),
        }
    }
}

/// A variable's name in lower case: `$Script:X` and `${x}` are `x`, `$env:X` is `env:x`.
pub(super) fn name_of(source: &str) -> String {
    let name = source
        .trim_start_matches(['$', '@'])
        .trim_start_matches('{')
        .trim_end_matches('}')
        .to_ascii_lowercase();
    for scope in ["global:", "local:", "private:", "script:", "using:", "variable:"] {
        if let Some(name) = name.strip_prefix(scope) {
            return name.to_owned();
        }
    }
    name
}

/// Backticks and doubled quotes within double quotes.
fn unescape(text: &str, out: &mut String) {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '`' => match chars.next() {
                Some('n' | 'r') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('0' | 'a' | 'b' | 'f' | 'v' | 'e') => out.push(' '),
                Some(other) => out.push(other),
                None => {}
            },
            '"' => {
                out.push('"');
                chars.next();
            }
            c => out.push(c),
        }
    }
}
