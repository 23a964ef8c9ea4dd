//! Words as the shell would expand them, as far as that can be told: quotes, braces, variables, literal substitutions.
//!
//! 1. What is not known becomes [`UNKNOWN`], and the word is dynamic.
//! 2. Every command in a substitution or default word is judged on the way.
//! 3. `${v@P}` and `${!v}` run what their variable holds, or read one that is not named.

use super::bound::{LONGEST, Open, closer};
use super::braces::braces;
use super::flow::Flow;
use super::script::Walker;
use super::words::{Note, UNKNOWN, Word};

/// How an expansion is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Unquoted: fields are split, braces expanded.
    Fields,
    /// One word: assignments, redirections, patterns.
    One,
    /// As in double quotes: heredocs and arithmetic.
    Quoted,
}

/// What an expansion gives, as it grows.
#[derive(Default)]
pub(super) struct Fields {
    done: Vec<Word>,
    word: Option<Word>,
}

impl Fields {
    pub(super) fn open(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    pub(super) fn text(&mut self, text: &str) {
        self.open().text.push_str(text);
    }

    pub(super) fn unknown(&mut self) {
        let word = self.open();
        word.dynamic = true;
        if !word.text.ends_with(UNKNOWN) {
            word.text.push(UNKNOWN);
        }
    }

    /// The word that is open ends here.
    pub(super) fn close(&mut self) {
        self.done.extend(self.word.take());
    }

    /// Text that is split into fields.
    fn split(&mut self, text: &str, separators: &str) {
        let mut parts = text.split(|c| separators.contains(c));
        if let Some(first) = parts.next()
            && !first.is_empty()
        {
            self.text(first);
        }
        for part in parts {
            self.done.extend(self.word.take());
            if !part.is_empty() {
                self.text(part);
            }
        }
    }

    fn finish(mut self) -> Vec<Word> {
        self.done.extend(self.word.take());
        self.done
    }
}

impl Walker<'_> {
    /// The words that a word of the script becomes.
    pub(super) fn words(&mut self, raw: &str) -> Vec<Word> {
        if raw.bytes().all(is_plain) {
            return vec![Word::known(raw)];
        }
        let mut words = Vec::new();
        for raw in braces(raw) {
            let mut fields = Fields::default();
            match raw {
                Some(raw) => self.expand(&raw, Mode::Fields, &mut fields),
                None => fields.unknown(),
            }
            words.extend(fields.finish());
        }
        words
    }

    /// The one word that a word becomes.
    pub(super) fn word(&mut self, raw: &str, mode: Mode) -> Word {
        if raw.bytes().all(is_plain) {
            return Word::known(raw);
        }
        let mut fields = Fields::default();
        self.expand(raw, mode, &mut fields);
        // Where one word is wanted, several stand in it with blanks between.
        let mut words = fields.finish().into_iter();
        let mut word = words.next().unwrap_or_default();
        for more in words {
            word.text.push(' ');
            word.text.push_str(&more.text);
            word.dynamic |= more.dynamic;
        }
        word
    }

    fn expand(&mut self, raw: &str, mode: Mode, out: &mut Fields) {
        if !self.enter(raw.len()) {
            out.unknown();
            return;
        }
        let mut is_double = mode == Mode::Quoted;
        let bytes = raw.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            let next = bytes.get(at + 1).copied();
            match byte {
                b'\\' if is_double => match next {
                    Some(b'\n') => at += 2,
                    Some(c @ (b'$' | b'`' | b'"' | b'\\')) if c != b'"' || mode != Mode::Quoted => {
                        out.text(&char::from(c).to_string());
                        at += 2;
                    }
                    _ => {
                        out.text("\\");
                        at += 1;
                    }
                },
                b'\\' => {
                    at += 1;
                    let escaped = char_at(raw, at);
                    at += escaped.len().max(1);
                    if escaped != "\n" {
                        out.text(escaped);
                    }
                }
                b'"' if mode != Mode::Quoted => {
                    is_double = !is_double;
                    out.open();
                    at += 1;
                }
                b'\'' if !is_double => {
                    let rest = raw.get(at + 1..).unwrap_or_default();
                    let length = rest.find('\'').unwrap_or(rest.len());
                    out.text(rest.get(..length).unwrap_or_default());
                    at += length + 2;
                }
                b'$' if !is_double && next == Some(b'\'') => {
                    at = self.ansi(raw, at + 2, out);
                }
                b'$' if !is_double && next == Some(b'"') => at += 1,
                b'$' => at = self.dollar(raw, at, is_double || mode == Mode::One, out),
                b'`' => {
                    let (script, end) = backquoted(raw, at + 1);
                    self.put_substitution(&script, is_double || mode == Mode::One, out);
                    at = end;
                }
                b'~' if !is_double && out.word.is_none() => {
                    out.text("~");
                    at += 1;
                }
                // Not in an unquoted word: it was read in another way than the parser did.
                b';' | b'|' | b'&' | b'<' | b'>' | b'\n' | b'(' | b')'
                    if !is_double && mode == Mode::Fields =>
                {
                    self.out
                        .approve("unclear/word", "a word that cannot be told apart from commands");
                    out.text(char_at(raw, at));
                    at += 1;
                }
                _ => {
                    let rest = raw.get(at..).unwrap_or_default();
                    let length = plain_run(rest, is_double).max(char_at(raw, at).len()).max(1);
                    out.text(rest.get(..length).unwrap_or_default());
                    at += length;
                }
            }
        }
        self.leave();
    }

    /// `$'…'`, from behind its quote. Gives the place behind it.
    fn ansi(&mut self, raw: &str, from: usize, out: &mut Fields) -> usize {
        let bytes = raw.as_bytes();
        let mut end = from;
        while bytes.get(end).is_some_and(|b| *b != b'\'') {
            end += 1 + usize::from(bytes.get(end) == Some(&b'\\'));
        }
        let inner = raw.get(from..end.min(raw.len())).unwrap_or_default();
        match super::literal::unescape(inner, super::literal::Escapes::Quote) {
            Some(text) => out.text(&text),
            None => out.unknown(),
        }
        end + 1
    }

    /// What begins with `$`. Gives the place behind it.
    fn dollar(&mut self, raw: &str, at: usize, is_quoted: bool, out: &mut Fields) -> usize {
        let bytes = raw.as_bytes();
        let inner = at + 2;
        match bytes.get(at + 1) {
            Some(b'(') => {
                let Some(end) = closer(bytes, inner, Open::Paren) else {
                    self.out
                        .approve("unclear/substitution", "a substitution without an end");
                    out.unknown();
                    return raw.len();
                };
                let script = raw.get(inner..end).unwrap_or_default();
                match script.strip_prefix('(').and_then(|s| s.strip_suffix(')')) {
                    Some(arithmetic) if !has_commands(arithmetic) => {
                        self.word(arithmetic, Mode::Quoted);
                        out.unknown();
                    }
                    _ => self.put_substitution(script, is_quoted, out),
                }
                end + 1
            }
            Some(b'{') => {
                let Some(end) = closer(bytes, inner, Open::Parameter) else {
                    self.out
                        .approve("unclear/substitution", "an expansion without an end");
                    out.unknown();
                    return raw.len();
                };
                self.parameter(raw.get(inner..end).unwrap_or_default(), is_quoted, out);
                end + 1
            }
            Some(b'[') => {
                let rest = raw.get(inner..).unwrap_or_default();
                let length = rest.find(']').unwrap_or(rest.len());
                self.word(rest.get(..length).unwrap_or_default(), Mode::Quoted);
                out.unknown();
                inner + length + 1
            }
            Some(c)
                if c.is_ascii_alphanumeric()
                    || matches!(c, b'_' | b'@' | b'*' | b'#' | b'?' | b'!' | b'$' | b'-') =>
            {
                let rest = raw.get(at + 1..).unwrap_or_default();
                let name = name_of(rest);
                self.put_variable(name, is_quoted, out);
                at + 1 + name.len()
            }
            _ => {
                out.text("$");
                at + 1
            }
        }
    }

    fn put_substitution(&mut self, script: &str, is_quoted: bool, out: &mut Fields) {
        let mut flow = self.substitute(script);
        self.tainted |= flow.bits();
        if let Some(which) = self.state.pick(script, flow.choices.len()) {
            flow.text = flow.choices.get(which).cloned();
        }
        match flow.text {
            Some(text) => {
                let text = text.trim_end_matches('\n');
                self.put(text, is_quoted, out);
            }
            None => {
                self.is_substituted = true;
                put_paths(&flow.paths, out);
            }
        }
    }

    pub(super) fn put(&mut self, text: &str, is_quoted: bool, out: &mut Fields) {
        self.spent += text.len();
        if out.word.as_ref().map_or(0, |word| word.text.len()) + text.len() > LONGEST
            || self.spent > 8 * LONGEST
        {
            self.out
                .block("unclear/too-long", "expansions that grow too long");
            out.unknown();
        } else if is_quoted {
            out.text(text);
        } else {
            match self.variable("IFS").and_then(|flow| flow.text) {
                Some(separators) => out.split(text, &separators),
                // It may be split anywhere.
                None => out.unknown(),
            }
        }
    }

    pub(super) fn put_flow(&mut self, flow: Flow, is_quoted: bool, out: &mut Fields) {
        self.tainted |= flow.bits();
        match flow.text {
            Some(text) => self.put(&text, is_quoted, out),
            None => put_paths(&flow.paths, out),
        }
    }

    pub(super) fn put_variable(&mut self, name: &str, is_quoted: bool, out: &mut Fields) {
        let value = self.value(name);
        let is_all = matches!(name, "@" | "*");
        if let Some(list) = value
            .as_ref()
            .and_then(|value| value.list.as_ref())
            .filter(|_| is_all)
        {
            let list = list.clone();
            self.tainted |= value.map_or(0, |value| value.flow.bits());
            self.put_list(&list, is_quoted, is_quoted && name == "*", out);
            return;
        }
        // `"$@"` is as many words as there are.
        let is_quoted = is_quoted && name != "@";
        match value.map(|value| value.flow) {
            Some(flow) => {
                self.tainted |= flow.bits();
                match flow.text {
                    Some(text) => self.put(&text, is_quoted, out),
                    // Behind a blank that a variable gave, it only keeps the name of that variable apart.
                    None if is_positional(name) && !is_quoted && !out.done.is_empty() => {}
                    None => put_paths(&flow.paths, out),
                }
            }
            None => {
                if super::files::is_secret_name(name) {
                    self.tainted |= Flow::SECRET;
                }
                out.unknown();
            }
        }
    }
}

/// What is not known, or is one of these paths.
pub(super) fn put_paths(paths: &[Word], out: &mut Fields) {
    let mut paths = paths.iter();
    let Some(first) = paths.next() else {
        out.unknown();
        return;
    };
    // What stands before stands before each of them.
    let before = out.word.as_ref().map_or("", |word| word.text.as_str()).to_owned();
    out.text(&first.text);
    out.open().dynamic = true;
    // In quotes as well: each of them is meant in one turn of a loop.
    for path in paths {
        out.close();
        out.text(&before);
        out.text(&path.text);
        out.open().dynamic = true;
    }
}

fn is_positional(name: &str) -> bool {
    matches!(name, "@" | "*") || name.bytes().all(|b| b.is_ascii_digit())
}

/// A word as what a variable holds.
pub(super) fn flow_of(word: &Word) -> Flow {
    if word.dynamic {
        Flow::default()
    } else {
        Flow::known(word.text.clone())
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'_' | b'.' | b'/' | b':' | b',' | b'@' | b'%' | b'+' | b'=' | b'-' | b'~'
        )
}

fn has_commands(text: &str) -> bool {
    text.contains([';', '|', '\n']) || text.contains("&&")
}

fn char_at(text: &str, at: usize) -> &str {
    let length = text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(0, char::len_utf8);
    text.get(at..at + length).unwrap_or_default()
}

/// How long the text is that nothing happens in.
fn plain_run(text: &str, is_double: bool) -> usize {
    let stops =
        |b: u8| matches!(b, b'\\' | b'"' | b'$' | b'`') || (!is_double && b"';|&<>\n()~".contains(&b));
    text.bytes().position(stops).unwrap_or(text.len())
}

/// The name of a variable or special parameter that a text begins with.
pub(super) fn name_of(text: &str) -> &str {
    let mut chars = text.bytes();
    let length = match chars.next() {
        Some(c) if c.is_ascii_alphabetic() || c == b'_' => {
            1 + chars
                .take_while(|c| c.is_ascii_alphanumeric() || *c == b'_')
                .count()
        }
        Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'!' | b'$' | b'-') => 1,
        _ => 0,
    };
    text.get(..length).unwrap_or_default()
}

/// The script in backticks, from behind the first, and the place behind the last.
fn backquoted(raw: &str, from: usize) -> (String, usize) {
    let mut script = String::new();
    let mut chars = raw.get(from..).unwrap_or_default().char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '`' => return (script, from + at + 1),
            '\\' => match chars.next() {
                Some((_, c @ ('`' | '\\' | '$'))) => script.push(c),
                Some((_, c)) => script.extend(['\\', c]),
                None => {}
            },
            c => script.push(c),
        }
    }
    (script, raw.len())
}
