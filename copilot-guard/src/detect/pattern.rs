//! From a regular expression to the parts of a rule: boundary, context, secret, terminator.

use regex_syntax::ast::{AssertionKind, Ast, GroupKind, parse::Parser};
use regex_syntax::hir::{Class, HirKind};

use super::bytes::{ByteSet, is_word};
use super::error::LintError;

/// What a rule looks for. See the [module](super) for the meaning of each part.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    /// No ASCII word byte may stand before the context (or the secret, when there is no context).
    pub(super) not_word_before: bool,
    /// What must stand before the secret and is not masked; may be empty.
    pub(super) context: String,
    /// The secret.
    pub(super) secret: String,
    /// What must follow, if not the end of the text.
    pub(super) after: Option<ByteSet>,
}

/// Splits a user's pattern: `\b` at the ends, one capture group for the secret, one class after it.
pub(super) fn split(id: &str, regex: &str) -> Result<Parts, LintError> {
    let ast = parse(id, regex)?;
    let items = match &ast {
        Ast::Concat(concat) => concat.asts.as_slice(),
        single => std::slice::from_ref(single),
    };
    // Inline flags at the front hold for everything behind them, so each part gets its own copy.
    let mut flags = String::new();
    let mut parts = Parts::default();
    let mut context = String::new();
    let mut secret: Option<String> = None;
    let mut tail: Vec<&Ast> = Vec::new();
    let captures = items.iter().filter(|item| is_capture(item)).count();
    if captures > 1 {
        return Err(LintError::new(
            id,
            "has more than one capture group",
            "keep one group, around the secret; use `(?:..)` elsewhere",
        ));
    }
    let last = items.len().saturating_sub(1);
    for (i, item) in items.iter().enumerate() {
        let text = slice(regex, item);
        match item {
            Ast::Flags(_) => flags.push_str(text),
            Ast::Assertion(a) if a.kind == AssertionKind::WordBoundary => {
                if context.is_empty() && secret.is_none() {
                    parts.not_word_before = true;
                } else if i == last {
                    parts.after = Some(ByteSet::of(|b| !is_word(b)));
                } else {
                    return Err(lookaround(id));
                }
            }
            Ast::Group(_) if captures == 1 && is_capture(item) => {
                secret = Some(format!("{flags}(?:{})", inside(regex, item)))
            }
            other if secret.is_some() => tail.push(other),
            other => {
                if has(other, &|a| matches!(a, Ast::Group(g) if g.is_capturing())) && captures == 0 {
                    return Err(LintError::new(
                        id,
                        "has a capture group inside another expression",
                        "put the one capture group, the secret, at the top level; use `(?:..)` elsewhere",
                    ));
                }
                if context.is_empty() {
                    context.push_str(&flags);
                }
                // Alternation binds weaker than concatenation, but a top-level item is never a bare alternation
                // unless it is the whole pattern.
                context.push_str(text);
            }
        }
    }
    match secret {
        Some(secret) => {
            parts.secret = secret;
            parts.context = context;
        }
        None => parts.secret = context,
    }
    match tail.as_slice() {
        [] => {}
        [one] if parts.after.is_none() => {
            parts.after = Some(one_byte(id, &format!("{flags}{}", slice(regex, one)))?)
        }
        _ => {
            return Err(LintError::new(
                id,
                "has more than one byte after the secret",
                "end the pattern with the group, or with the group and one class such as `[\\s\"']`",
            ));
        }
    }
    Ok(parts)
}

/// A regular expression as the engine compiles it: `\w`, `\d` and `\s` are ASCII, look-around is refused.
pub(super) fn ascii(id: &str, regex: &str) -> Result<String, LintError> {
    let ast = parse(id, regex)?;
    if has(&ast, &|a| matches!(a, Ast::Assertion(_))) {
        return Err(lookaround(id));
    }
    let mut out = String::with_capacity(regex.len());
    let mut chars = regex.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        // A bracketed class is valid both on its own and inside other brackets.
        match chars.next() {
            Some('w') => out.push_str("[[:word:]]"),
            Some('W') => out.push_str("[[:^word:]]"),
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('s') => out.push_str("[[:space:]]"),
            Some('S') => out.push_str("[[:^space:]]"),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    Ok(out)
}

/// The bytes that a class of single bytes stands for; a negated class includes every byte of longer characters.
pub(super) fn one_byte(id: &str, regex: &str) -> Result<ByteSet, LintError> {
    let refuse = || {
        LintError::new(
            id,
            "what follows the secret is not a class of single bytes",
            "use one class, such as `[\\s\"']` or `\\W`",
        )
    };
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(regex)
        .map_err(|_| refuse())?;
    match hir.kind() {
        HirKind::Class(Class::Bytes(class)) => Ok(ByteSet::of(|b| {
            class.ranges().iter().any(|r| r.start() <= b && b <= r.end())
        })),
        HirKind::Literal(literal) if literal.0.len() == 1 => Ok(ByteSet::of(|b| literal.0[0] == b)),
        _ => Err(refuse()),
    }
}

fn parse(id: &str, regex: &str) -> Result<Ast, LintError> {
    Parser::new().parse(regex).map_err(|e| {
        LintError::new(
            id,
            format!("is not a regular expression ({})", e.kind()),
            "correct the syntax; it is that of Rust's regex crate",
        )
    })
}

fn lookaround(id: &str) -> LintError {
    LintError::new(
        id,
        "looks around inside the pattern (`\\b`, `^`, `$` or the like)",
        "use `\\b` only as the first or the last item, or name the neighbouring characters in a class",
    )
}

fn is_capture(ast: &Ast) -> bool {
    matches!(ast, Ast::Group(group) if group.is_capturing())
}

fn slice<'r>(regex: &'r str, ast: &Ast) -> &'r str {
    let span = ast.span();
    regex.get(span.start.offset..span.end.offset).unwrap_or_default()
}

fn inside<'r>(regex: &'r str, ast: &Ast) -> &'r str {
    match ast {
        Ast::Group(group) if !matches!(group.kind, GroupKind::NonCapturing(_)) => slice(regex, &group.ast),
        other => slice(regex, other),
    }
}

fn has(ast: &Ast, wanted: &dyn Fn(&Ast) -> bool) -> bool {
    wanted(ast)
        || match ast {
            Ast::Repetition(r) => has(&r.ast, wanted),
            Ast::Group(g) => has(&g.ast, wanted),
            Ast::Alternation(a) => a.asts.iter().any(|a| has(a, wanted)),
            Ast::Concat(c) => c.asts.iter().any(|a| has(a, wanted)),
            _ => false,
        }
}
