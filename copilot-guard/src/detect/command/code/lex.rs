//! Cuts code into names, strings and signs. Not a parser: it only tells code from data.

use super::tables::Language;

/// A piece of code.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name with its dots: `os.path.join`. Of `Foo::Bar` and `$x->y` too.
    Name(String),
    /// What a string says. Strings that are joined are one.
    Text(String),
    /// A command between backticks, in languages where that runs it.
    Command(String),
    /// Anything else that counts.
    Sign(char),
}

/// The tokens of a text.
pub(super) fn tokens(language: Language, text: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        match c {
            c if c.is_whitespace() => {
                i += 1;
                if c == '\n' && !matches!(out.last(), Some(Token::Sign(';')) | None) {
                    out.push(Token::Sign(';'));
                }
            }
            '#' if language.comments_with_hash() => i = line_end(&chars, i),
            '/' if at(i + 1) == '/' && language.comments_with_slashes() => i = line_end(&chars, i),
            '/' if at(i + 1) == '*' && language.comments_with_slashes() => {
                i += 2;
                while i < chars.len() && !(at(i) == '*' && at(i + 1) == '/') {
                    i += 1;
                }
                i += 2;
            }
            '-' if at(i + 1) == '-' && language == Language::Lua => i = line_end(&chars, i),
            '"' | '\'' => {
                let (text, end, is_known) = string(&chars, i, c, language);
                i = end;
                push_text(&mut out, text, is_known);
            }
            '`' if language.runs_backticks() => {
                let (text, end, is_known) = string(&chars, i, c, language);
                i = end;
                out.push(if is_known {
                    Token::Command(text)
                } else {
                    Token::Command("\0".to_owned())
                });
            }
            '`' => {
                let (text, end, is_known) = string(&chars, i, c, language);
                i = end;
                push_text(&mut out, text, is_known);
            }
            '%' if language == Language::Ruby && at(i + 1) == 'x' && !at(i + 2).is_alphanumeric() => {
                let (text, end) = delimited(&chars, i + 2);
                i = end;
                out.push(Token::Command(text));
            }
            'q' if language == Language::Perl && is_quote_operator(&chars, i) => {
                let kind = at(i + 1);
                let mut from = if matches!(kind, 'x' | 'q' | 'w' | 'r') {
                    i + 2
                } else {
                    i + 1
                };
                while at(from) == ' ' {
                    from += 1;
                }
                let (text, end) = delimited(&chars, from);
                i = end;
                if kind == 'x' {
                    out.push(Token::Command(if text.contains('$') {
                        "\0".to_owned()
                    } else {
                        text
                    }));
                } else {
                    push_text(&mut out, text, true);
                }
            }
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let from = i;
                i += 1;
                loop {
                    let c = at(i);
                    let joins = (c == '.'
                        && (at(i + 1).is_alphabetic() || at(i + 1) == '_')
                        && language != Language::Perl
                        && language != Language::Php)
                        || (c == ':' && at(i + 1) == ':')
                        || (c == '-' && at(i + 1) == '>')
                        || (c == '?' && at(i + 1) == '.');
                    if joins && c != '.' {
                        i += 2;
                    } else if joins
                        || c.is_alphanumeric()
                        || c == '_'
                        || c == '$'
                        || (c == '!' && language == Language::Ruby && at(i + 1) != '=')
                    {
                        i += 1;
                    } else {
                        break;
                    }
                }
                let name: String = chars.get(from..i).unwrap_or_default().iter().collect();
                // `b"…"`, `rb'…'`, `f"…"` are strings.
                let is_prefix =
                    language == Language::Python && name.len() <= 2 && matches!(at(i), '"' | '\'');
                if is_prefix
                    && name
                        .chars()
                        .all(|c| matches!(c, 'b' | 'B' | 'r' | 'R' | 'u' | 'U'))
                {
                    continue;
                }
                if is_prefix && name.chars().any(|c| matches!(c, 'f' | 'F')) {
                    let (text, end, _) = string(&chars, i, at(i), language);
                    i = end;
                    let is_known = !text.contains('{');
                    if !is_known {
                        // What stands in its braces is code.
                        out.extend(braces(&text, language));
                    }
                    push_text(&mut out, text, is_known);
                    continue;
                }
                out.push(Token::Name(name));
            }
            c if c.is_ascii_digit() => {
                while at(i).is_alphanumeric() || at(i) == '.' || at(i) == '_' {
                    i += 1;
                }
                out.push(Token::Sign('0'));
            }
            '.' if at(i + 1).is_alphabetic()
                && matches!(
                    out.last(),
                    Some(Token::Sign(')' | ']' | '}' | '/') | Token::Text(_))
                ) =>
            {
                // `f(x).name`: a member of a value.
                i += 1;
                let from = i;
                while at(i).is_alphanumeric() || at(i) == '_' || (at(i) == '.' && at(i + 1).is_alphabetic()) {
                    i += 1;
                }
                let name: String = chars.get(from..i).unwrap_or_default().iter().collect();
                out.push(Token::Name(format!(".{name}")));
            }
            c => {
                i += 1;
                out.push(Token::Sign(c));
            }
        }
    }
    out
}

/// Strings that stand beside each other, or with `+` or `.` between them, are one.
fn push_text(out: &mut Vec<Token>, text: String, is_known: bool) {
    if !is_known {
        out.push(Token::Text(text));
        out.push(Token::Sign('$'));
        return;
    }
    let joins = matches!(out.last(), Some(Token::Sign('+' | '.')))
        && matches!(out.get(out.len().wrapping_sub(2)), Some(Token::Text(_)));
    if joins {
        out.pop();
    }
    match out.last_mut() {
        Some(Token::Text(before)) => before.push_str(&text),
        _ => out.push(Token::Text(text)),
    }
}

/// The tokens within `{…}` of a formatted string.
fn braces(text: &str, language: Language) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut rounds = 0;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((inner, after)) = after.split_once('}') else {
            break;
        };
        // Strings within such a string are no further strings of this kind in turn.
        if !inner.contains(['f', 'F']) || !inner.contains(['"', '\'']) || rounds < 64 {
            out.extend(tokens_flat(language, inner));
        }
        rounds += 1;
        rest = after;
    }
    out
}

/// As [`tokens`], for what stands in a string: names and plain strings alone, so that nothing nests.
fn tokens_flat(_language: Language, text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut name = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || matches!(c, '_' | '.') {
            name.push(c);
            continue;
        }
        if !name.is_empty() {
            out.push(Token::Name(std::mem::take(&mut name)));
        }
        match c {
            '"' | '\'' => out.push(Token::Text(chars.by_ref().take_while(|n| *n != c).collect())),
            ' ' => {}
            c => out.push(Token::Sign(c)),
        }
    }
    if !name.is_empty() {
        out.push(Token::Name(name));
    }
    out
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars
        .iter()
        .skip(from)
        .position(|c| *c == '\n')
        .map_or(chars.len(), |n| from + n)
}

/// A string from its quote on: what it says, where it ends, and whether nothing is put into it.
fn string(chars: &[char], from: usize, quote: char, language: Language) -> (String, usize, bool) {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_triple = language == Language::Python && at(from + 1) == quote && at(from + 2) == quote;
    let mut i = from + if is_triple { 3 } else { 1 };
    let mut out = String::new();
    let mut is_known = true;
    while i < chars.len() {
        let c = at(i);
        if c == quote && (!is_triple || (at(i + 1) == quote && at(i + 2) == quote)) {
            return (out, i + if is_triple { 3 } else { 1 }, is_known);
        }
        if c == '\\' {
            let (c, end) = escape(chars, i);
            out.push(c);
            i = end;
            continue;
        }
        let puts_in = match language {
            Language::Node => quote == '`' && c == '$' && at(i + 1) == '{',
            Language::Ruby => quote != '\'' && c == '#' && at(i + 1) == '{',
            Language::Perl => {
                quote != '\'' && matches!(c, '$' | '@') && (at(i + 1).is_alphabetic() || at(i + 1) == '{')
            }
            Language::Php => quote != '\'' && c == '$' && (at(i + 1).is_alphabetic() || at(i + 1) == '_'),
            _ => false,
        };
        is_known &= !puts_in;
        out.push(c);
        i += 1;
    }
    (out, i, is_known)
}

fn escape(chars: &[char], from: usize) -> (char, usize) {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let code = |from: usize, n: usize| -> Option<char> {
        let digits: String = chars.get(from..from + n)?.iter().collect();
        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
    };
    match at(from + 1) {
        'n' => ('\n', from + 2),
        't' => ('\t', from + 2),
        'r' => ('\r', from + 2),
        'x' => code(from + 2, 2).map_or(('x', from + 2), |c| (c, from + 4)),
        'u' => code(from + 2, 4).map_or(('u', from + 2), |c| (c, from + 6)),
        c if c.is_digit(8) => {
            let digits: String = chars
                .iter()
                .skip(from + 1)
                .take(3)
                .take_while(|c| c.is_digit(8))
                .collect();
            let value = u32::from_str_radix(&digits, 8)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or(' ');
            (value, from + 1 + digits.len())
        }
        c => (c, from + 2),
    }
}

fn is_quote_operator(chars: &[char], from: usize) -> bool {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let before = from.checked_sub(1).map(at).unwrap_or(' ');
    if before.is_alphanumeric() || matches!(before, '_' | '$' | '@' | '%' | '>') {
        return false;
    }
    let next = if matches!(at(from + 1), 'x' | 'q' | 'w' | 'r') {
        at(from + 2)
    } else {
        at(from + 1)
    };
    matches!(next, '(' | '{' | '[' | '<' | '/' | '|' | '!' | '~')
}

/// What stands between a delimiter and its partner.
fn delimited(chars: &[char], from: usize) -> (String, usize) {
    let open = chars.get(from).copied().unwrap_or('\0');
    let close = match open {
        '(' => ')',
        '{' => '}',
        '[' => ']',
        '<' => '>',
        c => c,
    };
    let mut depth = 1_usize;
    let mut out = String::new();
    for (n, c) in chars.iter().enumerate().skip(from + 1) {
        if *c == close {
            depth -= 1;
            if depth == 0 {
                return (out, n + 1);
            }
        } else if *c == open {
            depth += 1;
        }
        out.push(*c);
    }
    (out, chars.len())
}
