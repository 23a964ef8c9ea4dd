//! Patterns of paths: those of our lists, and those that commands name files by.

use super::words::UNKNOWN;

/// Whether a path, or a pattern of paths, is one of these.
pub(super) fn is_any(list: &[&str], path: &str) -> bool {
    let path = path.trim_end_matches(UNKNOWN);
    let is_pattern = path.len() <= 256
        && path.contains(['*', '?', '['])
        && path.trim_matches(['*', '/', '.', '?']).len() > 1;
    list.iter().any(|entry| {
        if !entry.contains('*') {
            let is_same = path == entry.trim_start_matches('/')
                || path.strip_suffix(entry).is_some()
                || entry.trim_end_matches('/') == path;
            return is_same || (is_pattern && glob_end(path, entry));
        }
        ends_in(entry, path) || (is_pattern && glob_end(path, entry))
    })
}

/// Whether a path ends in an entry with `*` in it. A last `*` takes everything below.
fn ends_in(entry: &str, path: &str) -> bool {
    if let Some(folder) = entry
        .strip_suffix('*')
        .filter(|folder| folder.ends_with('/') && !folder.contains('*'))
    {
        let relative = folder.trim_start_matches('/');
        let is_below = path.contains(folder) && !path.ends_with(folder);
        return is_below || (path.starts_with(relative) && path.len() > relative.len());
    }
    let parts = entry.matches('/').count();
    let mut from = path.len();
    for _ in 0..parts {
        from = path.get(..from).and_then(|before| before.rfind('/')).unwrap_or(0);
    }
    let tail = path.get(from..).unwrap_or(path);
    glob(entry.trim_start_matches('/'), tail.trim_start_matches('/'))
}

/// Whether a pattern of paths may stand for an entry: part by part, from the end. A pattern that says little, such as
/// `*.json`, stands for nothing.
fn glob_end(pattern: &str, entry: &str) -> bool {
    let says = |pattern: &str| {
        let stem = match pattern.rsplit_once('.') {
            Some((stem, _)) if !pattern.starts_with('.') => stem,
            _ => pattern,
        };
        stem.chars()
            .filter(|c| !matches!(c, '*' | '?' | '[' | ']' | '.'))
            .count()
    };
    let mut theirs = pattern.rsplit('/');
    let mut said = 0;
    entry
        .trim_start_matches('/')
        .rsplit('/')
        .filter(|part| !part.is_empty())
        .all(|part| {
            theirs.next().is_some_and(|pattern| {
                said += says(pattern);
                glob(pattern, &part.replace('*', "x")) || glob(pattern, &part.replace('*', ""))
            })
        })
        && said > 1
}

/// Whether a shell pattern matches a text. Linear but for the last star.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (
        pattern.chars().take(256).collect(),
        text.chars().take(4096).collect(),
    );
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => set(pattern.get(p..).unwrap_or_default(), *c),
            Some(other) if other == c => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            (None, Some((from, at))) => {
                p = from + 1;
                t = at + 1;
                star = Some((from, at + 1));
            }
            (None, None) => return false,
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// How long a bracket expression is, when it matches.
fn set(pattern: &[char], c: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let inner = pattern.get(1..end)?;
    let (is_not, inner) = match inner.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, inner),
    };
    let mut is_in = false;
    let mut at = 0;
    while let Some(from) = inner.get(at) {
        if let (Some('-'), Some(to)) = (inner.get(at + 1), inner.get(at + 2)) {
            is_in |= (*from..=*to).contains(&c);
            at += 3;
        } else {
            is_in |= *from == c;
            at += 1;
        }
    }
    (is_in != is_not).then_some(end + 1)
}
