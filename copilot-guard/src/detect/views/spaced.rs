//! Characters (or groups of them) with always the same between them: `A K I A`, `A-K-I-A`, one on each line, numbered.

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
                found(spelled);
                next = next.max(end);
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
}
