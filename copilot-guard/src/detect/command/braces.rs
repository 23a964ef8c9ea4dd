//! Brace expansion: `{a,b}` and `{1..3}`.

use super::bound::{Open, closer};

/// Most words that braces give.
const MOST_BRACES: usize = 64;
/// Most opening braces of one word that are looked at, each up to the end of the word.
const MOST_TRIES: usize = 16;

/// Brace expansion; `None` stands for words beyond the bound, and for braces that cannot be told.
pub(super) fn braces(raw: &str) -> Vec<Option<String>> {
    let mut done = Vec::new();
    let mut left = vec![raw.to_owned()];
    while let Some(word) = left.pop() {
        let Ok(found) = alternatives(&word) else {
            done.push(None);
            continue;
        };
        match found {
            Some(words) if done.len() + left.len() + words.len() <= MOST_BRACES => {
                left.extend(words.into_iter().rev())
            }
            Some(_) => {
                done.push(None);
                return done;
            }
            None => done.push(Some(word)),
        }
    }
    done
}

/// A word whose quotes or braces do not end, or count in a way that is not known.
struct Untold;

/// The words that the first brace expression of a word gives, if it has one.
fn alternatives(word: &str) -> Result<Option<Vec<String>>, Untold> {
    let bytes = word.as_bytes();
    let mut at = 0;
    let mut tries = 0;
    while let Some(byte) = bytes.get(at) {
        if let Some(end) = quoted(bytes, at) {
            at = end.ok_or(Untold)? + 1;
            continue;
        }
        if *byte == b'{' {
            tries += 1;
            if tries > MOST_TRIES {
                return Err(Untold);
            }
            if let Some((end, commas)) = list(bytes, at)? {
                let words = members(word, at, end, &commas)?;
                if words.is_some() {
                    return Ok(words);
                }
            }
        }
        at += 1;
    }
    Ok(None)
}

/// What hides braces begins here: the place of its last byte, or `None` within where it has no end.
fn quoted(bytes: &[u8], at: usize) -> Option<Option<usize>> {
    let rest = bytes.get(at + 1..).unwrap_or_default();
    match (bytes.get(at)?, rest.first()) {
        (b'\\', _) => Some(Some(at + 1)),
        (b'\'', _) => Some(
            rest.iter()
                .position(|b| *b == b'\'')
                .map(|length| at + 1 + length),
        ),
        (b'"', _) => Some(closer(bytes, at + 1, Open::Double)),
        (b'`', _) => {
            let mut is_escaped = false;
            let end = rest.iter().position(|b| {
                let is_end = *b == b'`' && !is_escaped;
                is_escaped = *b == b'\\' && !is_escaped;
                is_end
            });
            Some(end.map(|length| at + 1 + length))
        }
        (b'$', Some(b'\'')) => {
            let mut end = at + 2;
            while bytes.get(end).is_some_and(|b| *b != b'\'') {
                end += 1 + usize::from(bytes.get(end) == Some(&b'\\'));
            }
            Some(bytes.get(end).map(|_| end))
        }
        (b'$', Some(b'{')) => Some(closer(bytes, at + 2, Open::Parameter)),
        (b'$', Some(b'(')) => Some(closer(bytes, at + 2, Open::Paren)),
        _ => None,
    }
}

/// The end of a brace expression and its commas of this level.
fn list(bytes: &[u8], open: usize) -> Result<Option<(usize, Vec<usize>)>, Untold> {
    let mut depth = 0_usize;
    let mut commas = Vec::new();
    let mut at = open;
    while let Some(byte) = bytes.get(at) {
        if let Some(end) = quoted(bytes, at) {
            at = end.ok_or(Untold)? + 1;
            continue;
        }
        match byte {
            b'{' => depth += 1,
            b',' if depth == 1 => commas.push(at),
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some((at, commas)));
                }
            }
            _ => {}
        }
        at += 1;
    }
    // Two of them may be told apart in another way: `{a,{b`.
    if commas.is_empty() { Ok(None) } else { Err(Untold) }
}

/// The words of one expression. `None`: it is a text like any other.
fn members(word: &str, open: usize, end: usize, commas: &[usize]) -> Result<Option<Vec<String>>, Untold> {
    let before = word.get(..open).ok_or(Untold)?;
    let after = word.get(end + 1..).ok_or(Untold)?;
    let whole = |inner: &str| format!("{before}{inner}{after}");
    if commas.is_empty() {
        let inner = word.get(open + 1..end).ok_or(Untold)?;
        if !inner.contains("..") {
            return Ok(None);
        }
        let items = range(inner).ok_or(Untold)?;
        return Ok(Some(items.iter().map(|item| whole(item)).collect()));
    }
    let starts = std::iter::once(open + 1).chain(commas.iter().map(|c| c + 1));
    let ends = commas.iter().copied().chain([end]);
    let words: Option<_> = starts
        .zip(ends)
        .map(|(from, to)| word.get(from..to).map(whole))
        .collect();
    words.map(Some).ok_or(Untold)
}

/// `a..e`, `1..9..2`: letters of one case or numbers, in either direction. `None` for all else, padded numbers too.
fn range(inner: &str) -> Option<Vec<String>> {
    let mut parts = inner.split("..");
    let (first, last, step) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let letter = |text: &str| {
        let mut chars = text.chars();
        let c = chars.next().filter(char::is_ascii_alphabetic)?;
        chars.next().is_none().then_some(i64::from(u32::from(c)))
    };
    let number = |text: &str| {
        let is_padded = text.trim_start_matches('-').starts_with('0') && text.len() > 1;
        text.parse::<i64>().ok().filter(|_| !is_padded)
    };
    let is_letters = letter(first).is_some();
    let (from, to) = match is_letters {
        true => (letter(first)?, letter(last)?),
        false => (number(first)?, number(last)?),
    };
    let is_one_case = (97..=122).contains(&from) == (97..=122).contains(&to);
    if is_letters && !is_one_case {
        return None;
    }
    let step = step.map_or(Some(1), number)?.checked_abs()?.max(1);
    let count = from.checked_sub(to)?.checked_abs()?.checked_div(step)?;
    if count > MOST_BRACES as i64 {
        return None;
    }
    let sign = if to < from { -1 } else { 1 };
    let item = |at: i64| {
        let value = from + sign * at * step;
        match is_letters {
            true => u32::try_from(value)
                .ok()
                .and_then(char::from_u32)
                .map(String::from),
            false => Some(value.to_string()),
        }
    };
    (0..=count).map(item).collect()
}
