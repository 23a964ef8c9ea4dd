//! Patterns of words as regular expressions.

use std::collections::BTreeMap;
use std::ops::Range;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// Lists of words by their names.
pub(super) type Words = BTreeMap<String, Vec<String>>;

/// A blank between two words, with marks at the end of the first and the beginning of the second.
const BLANK: &str = r#"(?:[,"'`)*”“»’]*\s+["'`(*“„«‘]*)"#;
/// Any word that does not end a sentence.
const WORD: &str = r"\.?[^\s.!?;]+(?:[.!?;]+[^\s.!?;]+)*";
/// What stands around a match. Taken into it, and cut off by [`trimmed`]: a word boundary of Unicode would make every
/// text with other letters than those of ASCII slow.
const START: &str = r"(?:\A|[^\pL\pN_])";
const END: &str = r"(?:\z|[^\pL\pN_])";
/// The letters of Latin alphabets, for `\w`: all letters of Unicode would make each `\w` large.
const LATIN: &str = "0-9A-Za-z_À-ɏ";

/// The most that is looked at as one sentence, in bytes. A longer one is looked at in windows.
const SENTENCE: usize = 480;

/// Bounds what one rule compiles to. The largest takes about a third of it.
const MAX_COMPILED: usize = 48 << 20;

/// The expression of a pattern of the table: `<name>`, `~N`, `{a|b}`, and blanks.
pub(super) fn expand(pattern: &str, words: &Words) -> Result<String, String> {
    Ok(format!("{START}(?:{}){END}", expand_within(pattern, words)?))
}

/// The expression of any of the words of a list. A language without blanks has no ends of words.
pub(super) fn expand_list(name: &str, words: &Words) -> Result<String, String> {
    let list = words.get(name).ok_or_else(|| format!("no words for `{name}`"))?;
    let (dense, spaced): (Vec<_>, Vec<_>) = list
        .iter()
        .map(String::as_str)
        .partition(|word| word.chars().any(is_dense));
    let mut out = Vec::new();
    if !spaced.is_empty() {
        let spaced = expand_within(&spaced.join("|"), words)?;
        out.push(format!("(?:\\A|[^{LATIN}])(?:{spaced})(?:\\z|[^{LATIN}])"));
    }
    if !dense.is_empty() {
        out.push(expand_within(&dense.join("|"), words)?);
    }
    Ok(out.join("|"))
}

/// Chinese, Japanese or Korean.
fn is_dense(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{ff00}'..='\u{ffef}')
}

fn expand_within(pattern: &str, words: &Words) -> Result<String, String> {
    let pattern = with_words(pattern, words, 0)?;
    let mut out = String::with_capacity(pattern.len() * 4);
    let mut rest = pattern.as_str();
    let mut is_class = false;
    let mut counts = 0;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                let escaped = rest.chars().nth(1);
                taken += escaped.map_or(0, char::len_utf8);
                match escaped {
                    Some('w') if is_class => out.push_str(LATIN),
                    Some('w') => out.push_str(&format!("[{LATIN}]")),
                    _ => out.push_str(rest.get(..taken).unwrap_or_default()),
                }
            }
            '[' | ']' => {
                is_class = c == '[';
                out.push(c);
            }
            _ if is_class => out.push(c),
            ' ' => match gap(rest.get(1..).unwrap_or_default()) {
                Some((most, len)) => {
                    out.push_str(&format!("(?:{BLANK}{WORD}){{0,{most}}}{BLANK}"));
                    taken += len;
                }
                None => out.push_str(BLANK),
            },
            '~' => {
                let (most, len) =
                    gap(rest).ok_or_else(|| format!("a gap without a number in `{pattern}`"))?;
                out.push_str(&format!("(?:{WORD}{BLANK}){{0,{most}}}"));
                taken = len;
            }
            '{' if rest
                .get(1..)
                .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                counts += 1;
                out.push(c);
            }
            '{' => out.push_str("(?:"),
            '}' if counts > 0 => {
                counts -= 1;
                out.push(c);
            }
            '}' => out.push(')'),
            _ => out.push(c),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(out)
}

/// `~N ` at the beginning: the number, and its length.
fn gap(text: &str) -> Option<(u8, usize)> {
    let (number, _) = text.strip_prefix('~')?.split_once(' ')?;
    Some((number.parse().ok()?, number.len() + 2))
}

/// How deep lists of words may name others.
const MAX_DEPTH: usize = 4;

fn with_words(pattern: &str, words: &Words, depth: usize) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err(format!("words that name each other: `{pattern}`"));
    }
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('<') {
        let (name, after) = after
            .split_once('>')
            .ok_or_else(|| format!("an open `<` in `{pattern}`"))?;
        let list = words.get(name).ok_or_else(|| format!("no words for `{name}`"))?;
        out.push_str(before);
        out.push_str(&format!("(?:{})", with_words(&list.join("|"), words, depth + 1)?));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// All expressions as one, in any case.
pub(super) fn compile<P: AsRef<str>>(patterns: &[P]) -> Result<Regex, String> {
    compile_with(patterns, 16 << 20)
}

/// What [`expand_list`] made, in any case.
pub(super) fn compile_list(expression: &str) -> Result<Regex, String> {
    compile_with(&[expression], 2 << 20)
}

fn compile_with<P: AsRef<str>>(patterns: &[P], cache: usize) -> Result<Regex, String> {
    let config = Regex::config()
        .nfa_size_limit(Some(MAX_COMPILED))
        .hybrid_cache_capacity(cache);
    let syntax = syntax::Config::new()
        .case_insensitive(true)
        .unicode(true)
        .utf8(true);
    let regex = Regex::builder()
        .configure(config)
        .syntax(syntax)
        .build_many(patterns);
    regex.map_err(|e| e.to_string())
}

/// The match without the characters around it.
pub(super) fn trimmed(text: &str, mut range: Range<usize>) -> Range<usize> {
    let is_around = |c: &char| !c.is_alphanumeric() && *c != '_';
    let found = text.get(range.clone()).unwrap_or_default();
    if let Some(c) = found.chars().next().filter(is_around) {
        range.start += c.len_utf8();
    }
    if let Some(c) = found.chars().next_back().filter(is_around) {
        range.end = (range.end - c.len_utf8()).max(range.start);
    }
    range
}

/// What stands after the last end of a sentence or line.
pub(super) fn last_sentence(text: &str) -> &str {
    let mut from = 0;
    let mut ends = false;
    for (at, c) in text.char_indices() {
        if c == '\n' || is_full_stop(c) || ends && c.is_whitespace() {
            from = at + c.len_utf8();
        }
        ends = is_end(c);
    }
    text.get(from..).unwrap_or_default()
}

/// Where the first sentence or line ends.
pub(super) fn end_of_sentence(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends = is_end(c) && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        if c == '\n' || is_full_stop(c) || ends {
            return at;
        }
    }
    text.len()
}

/// The sentences and lines of a text that are not blank. A long one comes in windows, each half over the one before.
pub(super) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(rest) = text.get(from..)
        && !rest.is_empty()
    {
        let end = from + end_of_sentence(rest);
        loop {
            let to = text.floor_char_boundary(end.min(from + SENTENCE));
            if text.get(from..to).is_some_and(|part| !part.trim().is_empty()) {
                out.push(from..to);
            }
            if to >= end {
                break;
            }
            from = text.floor_char_boundary(from + SENTENCE / 2);
        }
        let mark = text.get(end..).and_then(|rest| rest.chars().next());
        from = end + mark.map_or(1, char::len_utf8);
    }
    out
}

/// Ends a sentence whatever follows.
fn is_full_stop(c: char) -> bool {
    matches!(c, '。' | '！' | '？')
}

fn is_end(c: char) -> bool {
    matches!(c, '.' | '!' | '?')
}
