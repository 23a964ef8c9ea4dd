//! PowerShell text before it is parsed: bounds, and the spellings that mean the same.

use std::borrow::Cow;

/// The longest script that is looked at.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// How deep brackets may nest.
pub(super) const MAX_NESTING: usize = 64;

/// Whether a script may be parsed: not too long, not too deep, without NUL. Brackets in strings count too: what is
/// behind this scan bounds itself, the scan only keeps the parser's work small.
pub(super) fn is_bounded(text: &str) -> bool {
    if text.len() > MAX_BYTES {
        return false;
    }
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            0 => return false,
            b'(' | b'{' | b'[' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return false;
                }
            }
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// PowerShell takes typographic quotes and dashes for the plain ones, and a backtick in a bare word for nothing. What is
/// invisible is taken out: a shell would keep it, a reader cannot see it.
pub(super) fn normalise(text: &str) -> Cow<'_, str> {
    let is_plain = |b: u8| b != b'`' && b != b'\r' && b.is_ascii();
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let plain: String = text.replace("\r\n", "\n").chars().filter_map(fold).collect();
    Cow::Owned(if plain.contains('`') {
        without_backticks(&plain)
    } else {
        plain
    })
}

fn fold(c: char) -> Option<char> {
    Some(match c {
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201e}' => '"',
        '\u{2013}'..='\u{2015}' => '-',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{85}' => ' ',
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{ad}' => return None,
        '\u{180e}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' => return None,
        // A terminal takes it as Enter.
        '\r' => '\n',
        c => c,
    })
}

fn without_backticks(text: &str) -> String {
    #[derive(PartialEq)]
    enum In {
        Bare,
        Single,
        Double,
        Line,
        Block,
    }
    let mut out = String::with_capacity(text.len());
    let mut state = In::Bare;
    let mut before = '\n';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let starts_token = before.is_whitespace() || matches!(before, ';' | '(' | '{' | '|' | '&' | ',');
        match (&state, c) {
            (In::Bare, '`') => match next {
                Some('\n') => {
                    chars.next();
                    out.push(' ');
                    before = ' ';
                    continue;
                }
                Some(n) if n.is_alphanumeric() || matches!(n, '-' | '_' | '.' | '/' | '\\' | ':') => continue,
                // An escaped quote or sign is no quote and no sign.
                Some(n) => {
                    chars.next();
                    out.push('`');
                    out.push(n);
                    before = n;
                    continue;
                }
                None => continue,
            },
            (In::Double, '`') => {
                out.push(c);
                if let Some(n) = chars.next() {
                    out.push(n);
                }
                continue;
            }
            (In::Bare, '\'') => state = In::Single,
            (In::Bare, '"') => state = In::Double,
            (In::Bare, '#') if before == '<' => state = In::Block,
            (In::Bare, '#') if starts_token => state = In::Line,
            (In::Single, '\'') | (In::Double, '"') => state = In::Bare,
            (In::Line, '\n') => state = In::Bare,
            (In::Block, '>') if before == '#' => state = In::Bare,
            _ => {}
        }
        out.push(c);
        before = c;
    }
    out
}

/// The same script with `$env:TEMP\x` in quotes, units in lower case, lines in strings as lines, and each clause of a
/// `switch` and what follows `param(…)` on a line of its own.
/// `None` if there is none of them.
pub(super) fn mended(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut changed = false;
    let mut quote = None;
    let mut before = ' ';
    let mut depth = 0_usize;
    let mut parameters = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('"'), '`') => {
                match chars.next() {
                    Some((_, 'n')) => {
                        out.push('\n');
                        changed = true;
                    }
                    Some((_, other)) => out.extend(['`', other]),
                    None => out.push('`'),
                }
                before = ' ';
                continue;
            }
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => {
                depth += 1;
                let tail = out.trim_end().as_bytes();
                let tail = tail.get(tail.len().saturating_sub(5)..).unwrap_or_default();
                if tail.eq_ignore_ascii_case(b"param") {
                    parameters = Some(depth);
                }
            }
            (None, ')') => {
                let is_end = parameters == Some(depth);
                depth = depth.saturating_sub(1);
                if is_end {
                    parameters = None;
                    out.push_str(")\n");
                    changed = true;
                    before = '\n';
                    continue;
                }
            }
            (None, '$') if before.is_whitespace() || matches!(before, '=' | ',' | '(') => {
                let rest = text.get(at..).unwrap_or_default();
                let name = rest
                    .get(1..)
                    .unwrap_or_default()
                    .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
                let name = name.map_or(rest.len(), |n| n + 1);
                let is_word_end = |c: char| {
                    c.is_whitespace()
                        || matches!(
                            c,
                            ';' | '|' | ')' | '(' | '{' | '}' | '"' | '\'' | ',' | '&' | '>' | '<' | '`'
                        )
                };
                let end = rest.find(is_word_end).unwrap_or(rest.len());
                let is_path =
                    name > 1 && end > name && rest.get(name..).is_some_and(|r| r.starts_with(['\\', '/']));
                if is_path {
                    out.push('"');
                    out.push_str(rest.get(..end).unwrap_or_default());
                    out.push('"');
                    changed = true;
                    while chars.next_if(|(i, _)| *i < at + end).is_some() {}
                    before = '"';
                    continue;
                }
            }
            // `20KB`: the grammar wants it in lower case.
            (None, 'K' | 'M' | 'G' | 'T' | 'P' | 'k' | 'm' | 'g' | 't' | 'p') if before.is_ascii_digit() => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let is_unit = rest.starts_with(['b', 'B'])
                    && !rest
                        .get(1..)
                        .is_some_and(|r| r.starts_with(char::is_alphanumeric));
                if is_unit && (c.is_ascii_uppercase() || rest.starts_with('B')) {
                    out.push(c.to_ascii_lowercase());
                    out.push('b');
                    chars.next();
                    changed = true;
                    before = 'b';
                    continue;
                }
            }
            (None, '}') => {
                let rest = text
                    .get(at + 1..)
                    .unwrap_or_default()
                    .trim_start_matches([' ', '\t']);
                if rest.starts_with(['"', '\''])
                    || rest.starts_with("default")
                    || rest.starts_with(|c: char| c.is_ascii_digit())
                {
                    out.push_str("}\n");
                    changed = true;
                    before = '\n';
                    continue;
                }
            }
            _ => {}
        }
        out.push(c);
        before = c;
    }
    changed.then_some(out)
}

/// The words of a command that is nothing but words: no variable, no block, no operator. Most commands are; anything else
/// is for the parser. Of each word, whether it was quoted.
pub(super) fn plain_words(text: &str) -> Option<Vec<(String, bool)>> {
    let text = text.trim();
    let starts_as_command = |c: char| c.is_ascii_alphabetic() || matches!(c, '.' | '/' | '\\' | '~' | '_');
    if !text.starts_with(starts_as_command) || text.starts_with(". ") {
        return None;
    }
    let mut words: Vec<(String, bool)> = Vec::new();
    let mut word: Option<(String, bool)> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"'), '$' | '`') => return None,
            (Some(_), '\n') => return None,
            (Some(_), c) => word.get_or_insert_default().0.push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default().1 = true;
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '$' | '(' | ')' | '{' | '}' | '|' | ';' | '&' | '<' | '>' | '`' | '#' | '@' | '\n') => {
                return None;
            }
            (None, c) => word.get_or_insert_default().0.push(c),
        }
    }
    if quote.is_some() {
        return None;
    }
    words.extend(word.take());
    let first = words.first()?;
    // `a = b` and the words that begin a statement are not commands.
    let is_statement = KEYWORDS.iter().any(|k| k.eq_ignore_ascii_case(&first.0));
    (!is_statement && !first.1).then_some(words)
}

const KEYWORDS: &[&str] = &[
    "begin",
    "break",
    "class",
    "clean",
    "configuration",
    "continue",
    "data",
    "do",
    "dynamicparam",
    "else",
    "elseif",
    "end",
    "enum",
    "exit",
    "filter",
    "finally",
    "for",
    "foreach",
    "function",
    "if",
    "inlinescript",
    "param",
    "parallel",
    "process",
    "return",
    "sequence",
    "switch",
    "throw",
    "trap",
    "try",
    "until",
    "using",
    "while",
    "workflow",
];
