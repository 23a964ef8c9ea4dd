//! Questions about the text of a candidate that no automaton answers: entropy, placeholders, check digits.

use std::sync::Arc;

use serde::Deserialize;

use super::bytes::is_word;
use super::mark::{MARK_OPEN, MarkFormat};

/// When the question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum When {
    /// Never: the form alone is proof.
    #[default]
    Never,
    /// Once, on the shortest match. What follows is swallowed, so a secret cannot be diluted by a long tail.
    Shortest,
    /// On the longest match. The candidate is held until nothing more can match, so it must be bounded.
    Longest,
}

/// What must hold of a candidate's text, all at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Check {
    pub(super) when: When,
    /// Least Shannon entropy in bits for each byte; 0 asks nothing.
    pub(super) entropy: f64,
    /// Not one of the texts that stand where a secret would.
    pub(super) no_placeholder: Option<Arc<Placeholders>>,
    /// At least one ASCII digit and one ASCII letter.
    pub(super) digit_and_letter: bool,
    /// The digits end with a right Luhn check digit.
    pub(super) luhn: bool,
    /// It begins with a digit or holds three: the value of a field, not a name of code.
    pub(super) number_like: bool,
    /// How marks are written, when not as always: their opening is no secret either.
    pub(super) marks: Option<MarkFormat>,
}

impl Check {
    pub(super) fn passes(&self, text: &[u8]) -> bool {
        // A mark is never a secret, or redacting twice would change a text.
        !(contains(text, MARK_OPEN.as_bytes())
            || self
                .marks
                .as_ref()
                .is_some_and(|m| m.openings().iter().any(|open| contains(text, open.as_bytes())))
            || self.no_placeholder.as_ref().is_some_and(|p| p.holds(text))
            || self.digit_and_letter && !has_digit_and_letter(text)
            || self.luhn && !luhn(text)
            || self.number_like && !is_number_like(text)
            || self.entropy > 0.0 && entropy(text) < self.entropy)
    }
}

/// What stands where a secret would: the lists of the table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Placeholders {
    /// Matched anywhere, whatever the case.
    words: Vec<String>,
    /// Matched anywhere.
    look_ups: Vec<String>,
    /// Matched as the whole text, whatever the case.
    whole: Vec<String>,
}

impl Placeholders {
    /// Whether this stands where a secret would, rather than being one.
    fn holds(&self, text: &[u8]) -> bool {
        let Some((&first, rest)) = text.split_first() else {
            return true;
        };
        let last = rest.last().copied().unwrap_or(first);
        let filled_in = rest.iter().all(|b| *b == first)
            || [&b"${"[..], b"$(", b"{{", b"<%"]
                .iter()
                .any(|part| contains(text, part))
            || text.starts_with(b"#{")
            || matches!((first, last), (b'<', b'>') | (b'{', b'}') | (b'%', b'%'))
            || first == b'$' && rest.iter().all(|b| is_word(*b));
        filled_in
            || self
                .words
                .iter()
                .any(|word| contains_ignoring_case(text, word.as_bytes()))
            || self.look_ups.iter().any(|word| contains(text, word.as_bytes()))
            || self
                .whole
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

fn contains_ignoring_case(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part))
}

fn has_digit_and_letter(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic)
}

fn is_number_like(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit) || text.iter().filter(|b| b.is_ascii_digit()).count() >= 3
}

/// Shannon entropy of the bytes, in bits for each byte.
pub(super) fn entropy(text: &[u8]) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    let mut counts = [0u32; 256];
    for &byte in text {
        counts[usize::from(byte)] += 1;
    }
    let len = text.len() as f64;
    counts
        .iter()
        .filter(|n| **n > 0)
        .map(|n| {
            let share = f64::from(*n) / len;
            -share * share.log2()
        })
        .sum()
}

/// The check digit of payment cards: every second digit from the right counts double.
pub(super) fn luhn(text: &[u8]) -> bool {
    let digits = text
        .iter()
        .rev()
        .filter(|b| b.is_ascii_digit())
        .map(|b| u32::from(b - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(i, d)| match (i % 2, d * 2) {
            (0, _) => d,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum > 0 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_secrets() {
        let lists = Placeholders {
            words: vec!["changeme".into()],
            look_ups: vec!["os.environ".into()],
            whole: vec!["none".into()],
        };
        for text in [
            "${TOKEN}",
            "<your token>",
            "{{ token }}",
            "xxxxxxxx",
            "ChangeMe!",
            "os.environ[1]",
            "$TOKEN",
            "None",
        ] {
            assert!(lists.holds(text.as_bytes()), "{text}");
        }
        for text in ["hunter2!", "p4ss$word", "correct horse", "nonetheless"] {
            assert!(!lists.holds(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn luhn_knows_a_good_number() {
        assert!(luhn(b"4111 1111 1111 1111"));
        assert!(!luhn(b"4111 1111 1111 1112"));
    }

    #[test]
    fn entropy_of_two_equal_halves_is_one_bit() {
        assert!((entropy(b"abab") - 1.0).abs() < 1e-9);
    }
}
