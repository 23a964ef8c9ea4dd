//! Brace expansion: `{a,b}` and `{1..3}`.

use super::bound::{Open, closer};

/// Most words that braces give.
const MOST_BRACES: usize = 64;
/// Most opening braces of one word that are looked at, each up to the end of the word.
const MOST_TRIES: usize = 16;

/// Brace expansion; `None` stands for words beyond the bound.
pub(super) fn braces(raw: &str) -> Vec<Option<String>> {
    let mut done = Vec::new();
    let mut left = vec![raw.to_owned()];
    while let Some(word) = left.pop() {
        match alternatives(&word) {
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

/// The words that the first brace expression of a word gives.
fn alternatives(word: &str) -> Option<Vec<String>> {
    let bytes = word.as_bytes();
    let mut at = 0;
    let mut tries = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\'' => at += bytes.get(at + 1..)?.iter().position(|b| *b == b'\'')? + 1,
            b'"' => at = quoted_end(bytes, at + 1)?,
            b'$' if bytes.get(at + 1) == Some(&b'{') => at = closer(bytes, at + 2, Open::Parameter)?,
            b'$' if bytes.get(at + 1) == Some(&b'(') => at = closer(bytes, at + 2, Open::Paren)?,
            b'{' => {
                tries += 1;
                if tries > MOST_TRIES {
                    return Some(vec![String::new(); MOST_BRACES + 1]);
                }
                if let Some(words) = list(bytes, at).and_then(|(end, commas)| members(word, at, end, &commas))
                {
                    return Some(words);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn quoted_end(bytes: &[u8], from: usize) -> Option<usize> {
    closer(bytes, from, Open::Double)
}

/// The end of a brace expression and its commas of this level.
fn list(bytes: &[u8], open: usize) -> Option<(usize, Vec<usize>)> {
    let mut depth = 0_usize;
    let mut commas = Vec::new();
    let mut at = open;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\'' => at += bytes.get(at + 1..)?.iter().position(|b| *b == b'\'')? + 1,
            b'"' => at = quoted_end(bytes, at + 1)?,
            b'$' if bytes.get(at + 1) == Some(&b'{') => at = closer(bytes, at + 2, Open::Parameter)?,
            b'$' if bytes.get(at + 1) == Some(&b'(') => at = closer(bytes, at + 2, Open::Paren)?,
            b'{' => depth += 1,
            b',' if depth == 1 => commas.push(at),
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some((at, commas));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn members(word: &str, open: usize, end: usize, commas: &[usize]) -> Option<Vec<String>> {
    let (before, after) = (word.get(..open)?, word.get(end + 1..)?);
    let whole = |inner: &str| format!("{before}{inner}{after}");
    if commas.is_empty() {
        let (first, last) = word.get(open + 1..end)?.split_once("..")?;
        let mut chars = (first.chars(), last.chars());
        return match (chars.0.next(), chars.0.next(), chars.1.next(), chars.1.next()) {
            (Some(from @ ('a'..='z' | 'A'..='Z')), None, Some(to), None) => Some(
                (from.min(to)..=from.max(to))
                    .map(|c| whole(&c.to_string()))
                    .collect(),
            ),
            _ => {
                let (from, to): (i64, i64) = (first.parse().ok()?, last.split("..").next()?.parse().ok()?);
                let to = to.min(from.saturating_add(MOST_BRACES as i64));
                Some((from..=to).map(|n| whole(&n.to_string())).collect()).filter(|w: &Vec<_>| !w.is_empty())
            }
        };
    }
    let starts = std::iter::once(open + 1).chain(commas.iter().map(|c| c + 1));
    let ends = commas.iter().copied().chain([end]);
    starts
        .zip(ends)
        .map(|(from, to)| word.get(from..to).map(whole))
        .collect()
}
