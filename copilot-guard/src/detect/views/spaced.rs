//! Characters (or groups of them) with always the same between them: `A K I A`, `A-K-I-A`, one on each line, numbered; single
//! ones with anything between them; and short lines, or what short lines end with.

use super::mapped::Mapped;

/// Fewest characters that are worth to be joined.
const FEWEST: usize = 12;
/// Longest group, and longest piece between two groups.
const LONGEST_GROUP: usize = 8;
const LONGEST_BETWEEN: usize = 8;

/// Gives every text that such runs spell to `found`.
pub(super) fn join(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    runs(text, found);
    if let Some(bare) = without_list_marks(text) {
        runs(&bare, found);
    }
    singles(text, found);
    lines(text, found);
}

/// Fewest single characters, with anything between them, that are worth to be joined.
const FEWEST_SINGLES: usize = 16;
/// Longest piece between two of them.
const LONGEST_GAP: usize = 4;

/// Single letters and digits with signs and blanks between them that need not be the same.
fn singles(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let is_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let mut out = Mapped::default();
    let mut last = 0;
    for at in 0..bytes.len() {
        if !is_word(bytes.get(at)) {
            // It may be a part of what is spelled, where signs stand around it.
            if bytes.get(at) == Some(&b'_') && out.len() > 0 {
                out.copy(text, at..at + 1);
                last = at;
            }
            continue;
        }
        let is_single = !is_word(bytes.get(at + 1)) && (at == 0 || !is_word(bytes.get(at - 1)));
        if !is_single || at - last > LONGEST_GAP {
            if out.len() >= FEWEST_SINGLES {
                found(std::mem::take(&mut out));
            }
            out = Mapped::default();
        }
        if is_single {
            out.copy(text, at..at + 1);
            last = at;
        }
    }
    if out.len() >= FEWEST_SINGLES {
        found(out);
    }
}

/// Longest short line.
const LONGEST_LINE: usize = 24;
/// Fewest lines that are worth to be joined.
const FEWEST_LINES: usize = 3;

/// How many lines at the beginning of a row may be none of it.
const STARTS: usize = 3;

/// Lines that are short: all of each one after the other, and the last word of each; the words also with blanks between them.
fn lines(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let mut at = 0;
    let mut block = Block::default();
    for line in bytes.split(|b| *b == b'\n') {
        let range = at..at + line.len();
        at = range.end + 1;
        let word = last_word(line);
        if line.len() > LONGEST_LINE || word.is_empty() {
            block.end(found);
            continue;
        }
        let word = range.start + word.start..range.start + word.end;
        let is_whole = !line.trim_ascii().contains(&b' ');
        block.count += 1;
        block.are_whole &= is_whole;
        if block.count <= STARTS {
            block
                .starts
                .push((block.whole.len(), block.words.len(), block.apart.len()));
        }
        block.whole.copy(text, trimmed(line, range.start));
        block.words.copy(text, word.clone());
        block.apart.copy(text, word.clone());
        // A blank of its own place: nothing is masked for it alone.
        block.apart.push(b' ', text, word);
    }
    block.end(found);
}

/// Short lines in a row.
struct Block {
    count: usize,
    are_whole: bool,
    whole: Mapped,
    words: Mapped,
    apart: Mapped,
    /// Where the first lines begin in each of these: the row may begin with one that is none of it.
    starts: Vec<(usize, usize, usize)>,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            count: 0,
            are_whole: true,
            whole: Mapped::default(),
            words: Mapped::default(),
            apart: Mapped::default(),
            starts: Vec::new(),
        }
    }
}

impl Block {
    fn end(&mut self, found: &mut dyn FnMut(Mapped)) {
        let block = std::mem::take(self);
        if block.count < FEWEST_LINES || block.words.len() < FEWEST {
            return;
        }
        for (whole, word, apart) in &block.starts {
            let from = |text: &Mapped, start: usize| text.part(start..text.len());
            if block.are_whole {
                found(from(&block.whole, *whole));
            } else {
                found(from(&block.words, *word));
            }
            found(from(&block.apart, *apart));
        }
    }
}

fn trimmed(line: &[u8], at: usize) -> std::ops::Range<usize> {
    let start = line.len() - line.trim_ascii_start().len();
    at + start..at + start + line.trim_ascii().len()
}

/// The last word of a line, without what stands around it.
fn last_word(line: &[u8]) -> std::ops::Range<usize> {
    let is_around = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'|' | b'`' | b'"' | b'\'' | b',' | b';');
    let end = line.iter().rposition(|b| !is_around(b)).map_or(0, |n| n + 1);
    let start = line.get(..end).unwrap_or_default().iter().rposition(is_around);
    start.map_or(0, |n| n + 1)..end
}

fn runs(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let mut at = 0;
    while at < bytes.len() {
        if !starts_group(bytes, at) {
            at += 1;
            continue;
        }
        let mut next = at + 1;
        for with_underscores in [true, false] {
            let (spelled, end) = run(text, at, with_underscores);
            if spelled.len() >= FEWEST {
                // Two words with something between them are no run: the run may begin at the second.
                if end - at > 4 * (LONGEST_GROUP + LONGEST_BETWEEN) {
                    next = next.max(end);
                }
                found(spelled);
            }
        }
        at = next;
    }
}

/// Groups begin behind what is no letter; that keeps the search linear.
fn starts_group(bytes: &[u8], at: usize) -> bool {
    let is_word = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    is_word(bytes.get(at)) && (at == 0 || !is_word(bytes.get(at - 1)))
}

/// The run that begins here, and where it ends. The first group and what follows it are the measure of the others.
fn run(text: &Mapped, start: usize, with_underscores: bool) -> (Mapped, usize) {
    let bytes = text.text.as_slice();
    let rest = bytes.get(start..).unwrap_or_default();
    let mut out = Mapped::default();
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || with_underscores && *b == b'_';
    let group = rest
        .iter()
        .take(LONGEST_GROUP + 1)
        .take_while(|b| is_part(b))
        .count();
    let between = rest
        .iter()
        .skip(group)
        .take(LONGEST_BETWEEN + 1)
        .take_while(|b| !is_part(b))
        .count();
    if group > LONGEST_GROUP || between == 0 || between > LONGEST_BETWEEN {
        return (out, start);
    }
    let separator = rest.get(group..group + between).unwrap_or_default();
    let mut at = start;
    loop {
        let here = bytes.get(at..).unwrap_or_default();
        let whole = here
            .iter()
            .take(group)
            .take_while(|b| b.is_ascii_graphic())
            .count();
        // A last group may be short.
        let is_word = |n: usize| here.get(n).is_some_and(u8::is_ascii_alphanumeric);
        if whole == group && is_word(group) {
            // A longer word: the run has ended before it.
            return (out, at);
        }
        let length = if whole == group && !contains(here.get(..group).unwrap_or_default(), separator) {
            group
        } else {
            let short = (0..whole).take_while(|n| is_word(*n)).count();
            out.copy(text, at..at + short);
            return (out, at + short);
        };
        out.copy(text, at..at + length);
        at += length;
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(separator)) {
            at += separator.len();
        } else {
            return (out, at);
        }
    }
}

/// A group of several characters holds no separator; a group of one may be the separator's own character.
fn contains(group: &[u8], separator: &[u8]) -> bool {
    group.len() > 1 && memchr::memmem::find(group, separator).is_some()
}

/// The text without the marks of list items at the beginnings of its lines; `None` when it has none.
fn without_list_marks(text: &Mapped) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    let mut out = Mapped::with_capacity(text.len());
    let (mut done, mut changed) = (0, false);
    let mut line = 0;
    loop {
        let rest = bytes.get(line..).unwrap_or_default();
        let indent = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'>' | b'|'))
            .count();
        let mark = rest.get(indent..).map_or(0, list_mark);
        if mark > 0 {
            out.copy(text, done..line);
            done = line + indent + mark;
            changed = true;
        }
        match memchr::memchr(b'\n', rest) {
            Some(n) => line += n + 1,
            None => break,
        }
    }
    out.copy(text, done..bytes.len());
    changed.then_some(out)
}

/// The length of `1. `, `12) `, `- `, `* `.
fn list_mark(rest: &[u8]) -> usize {
    let digits = rest.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    let length = match rest.get(digits) {
        Some(b'.' | b')' | b':') if (1..=3).contains(&digits) => digits + 1,
        Some(b'-' | b'*' | b'+') if digits == 0 => 1,
        // The first cell of a table's row.
        Some(b' ') if digits > 0 && rest.get(digits + 1) == Some(&b'|') => digits + 2,
        _ => return 0,
    };
    let blanks = rest
        .iter()
        .skip(length)
        .take(4)
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    if blanks == 0 { 0 } else { length + blanks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_separators_are_taken_out() {
        let plain = "AKIA_234567XYZ";
        let chars: Vec<_> = plain.chars().map(String::from).collect();
        let numbered: Vec<_> = chars
            .iter()
            .enumerate()
            .map(|(n, c)| format!("{}. {c}", n + 1))
            .collect();
        for text in [
            chars.join(" "),
            chars.join("-"),
            chars.join("\n"),
            chars.join(" | "),
            chars.join("', '"),
            chars.join("★"),
            numbered.join("\n"),
            "AKIA-2345-67XY-Z".replace('-', " "),
            format!("the_key = {}", chars.join("-")),
            chars
                .iter()
                .enumerate()
                .map(|(n, c)| format!("[{n}] = {c}\n"))
                .collect(),
            chars
                .iter()
                .enumerate()
                .map(|(n, c)| format!("{n}. `{c}`\n"))
                .collect(),
        ] {
            let mut found = Vec::new();
            join(&Mapped::identity(text.as_bytes()), &mut |m| found.push(m.text));
            let wanted = if text.contains("2345 ") {
                "AKIA234567XYZ"
            } else {
                plain
            };
            assert!(found.iter().any(|f| f.starts_with(wanted.as_bytes())), "{text}");
        }
    }

    #[test]
    fn anything_may_stand_between_single_ones_and_at_the_ends_of_lines() {
        for (text, wanted) in [
            ("A.K,I A Q,W~Q / 5/P/V 3 3/U/H 5,4 N~L", "AKIAQWQ5PV33UH54NL"),
            ("gl-\nobTFUR\nzI3gOa\nllnQML\nyH", "gl-obTFURzI3gOallnQMLyH"),
            (
                "| 1 | 65 |\n| 2 | 75 |\n| 3 | 73 |\n| 4 | 65 |\n| 5 | 50 |\n| 6 | 51 |",
                "65 75 73 65 50 51 ",
            ),
        ] {
            let mut found = Vec::new();
            join(&Mapped::identity(text.as_bytes()), &mut |m| found.push(m.text));
            assert!(found.iter().any(|f| f == wanted.as_bytes()), "{text}");
        }
    }
}
