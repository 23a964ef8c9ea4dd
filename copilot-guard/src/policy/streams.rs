//! The patterns of rules on output, which run while an answer streams.

use std::collections::BTreeSet;

use super::reader::Located;

/// Each item, with the reason that a hit of it gives.
pub(super) fn numbered<'c>(
    what: &'static str,
    items: &'c [Located<String>],
) -> impl Iterator<Item = (String, &'c Located<String>)> {
    items
        .iter()
        .enumerate()
        .map(move |(n, item)| (format!("{what} {} of {}", n + 1, items.len()), item))
}

/// An id that nothing else has, for one of several patterns of a rule.
pub(super) fn free_id(taken: &mut BTreeSet<String>, rule: &str) -> String {
    let mut n = 1;
    loop {
        let id = format!("{rule}.{n}");
        if taken.insert(id.clone()) {
            return id;
        }
        n += 1;
    }
}

/// A whole word or phrase as a stream pattern: up to three white characters between words, any case. Streams fold
/// ASCII only, so that both cases of other letters are written out; a word that begins or ends with such a letter
/// is also found within a longer word.
pub(super) fn stream_word(word: &str) -> String {
    let parts: Vec<_> = word
        .split_whitespace()
        .map(|w| w.chars().map(either_case).collect::<String>())
        .collect();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let open = if is_word(word.trim().chars().next()) {
        r"\b"
    } else {
        ""
    };
    let close = if is_word(word.trim().chars().next_back()) {
        r"\b"
    } else {
        ""
    };
    format!("(?i){open}{}{close}", parts.join(r"[ \t\r\n]{1,3}"))
}

fn either_case(c: char) -> String {
    let cases = BTreeSet::from([
        c.to_string(),
        c.to_lowercase().collect(),
        c.to_uppercase().collect(),
    ]);
    let cases: Vec<_> = cases.iter().map(|c| regex_syntax::escape(c)).collect();
    match cases.as_slice() {
        [only] => only.clone(),
        _ if c.is_ascii() => regex_syntax::escape(&c.to_string()),
        _ => format!("(?:{})", cases.join("|")),
    }
}
