//! Questions about the text of a candidate that no automaton answers: entropy, placeholders, check digits.

use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::bytes::is_word;
use super::checksum::Checksum;
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
    /// Looks drawn at random rather than composed of words.
    pub(super) random: bool,
    /// Check digits, and what they prove.
    pub(super) checksum: Option<Checksum>,
    /// It begins with a digit or holds three: the value of a field, not a name of code.
    pub(super) number_like: bool,
    /// How marks are written, when not as always: their opening is no secret either.
    pub(super) marks: Option<MarkFormat>,
}

impl Check {
    pub(super) fn passes(&self, text: &[u8]) -> bool {
        // A mark is never a secret, or redacting twice would change a text.
        let is_opening = |open: &str| contains(text, open.as_bytes());
        let of_format = |marks: &MarkFormat| marks.openings().iter().any(|open| is_opening(open));
        if is_opening(MARK_OPEN) || self.marks.as_ref().is_some_and(of_format) {
            return false;
        }
        match self.checksum.map(|c| (c.is_right(text), c.is_proof())) {
            Some((true, true)) => return true,
            Some((false, false)) => return false,
            _ => {}
        }
        // What is quick comes first: floods of candidates are refused by it.
        !(self.digit_and_letter && !has_digit_and_letter(text)
            || self.number_like && !is_number_like(text)
            || self.random && !is_random(text)
            || self.no_placeholder.as_ref().is_some_and(|p| p.holds(text))
            || self.entropy > 0.0 && entropy(text) < self.entropy)
    }
}

/// What stands where a secret would: the lists of the table.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Lists")]
pub(super) struct Placeholders {
    words: AhoCorasick,
    look_ups: AhoCorasick,
    whole: Vec<String>,
}

/// The lists as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Lists {
    /// Matched anywhere, whatever the case.
    words: Vec<String>,
    /// Matched anywhere.
    look_ups: Vec<String>,
    /// Matched as the whole text, whatever the case.
    whole: Vec<String>,
}

impl TryFrom<Lists> for Placeholders {
    type Error = aho_corasick::BuildError;

    fn try_from(lists: Lists) -> Result<Self, Self::Error> {
        Ok(Self {
            words: AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(lists.words)?,
            look_ups: AhoCorasick::new(lists.look_ups)?,
            whole: lists.whole,
        })
    }
}

impl Placeholders {
    /// Whether this stands where a secret would, rather than being one.
    fn holds(&self, text: &[u8]) -> bool {
        let Some((&first, rest)) = text.split_first() else {
            return true;
        };
        let last = rest.last().copied().unwrap_or(first);
        let filled_in = rest.iter().all(|b| *b == first)
            || text
                .windows(2)
                .any(|pair| matches!(pair, b"${" | b"$(" | b"{{" | b"<%"))
            || text.starts_with(b"#{")
            || matches!((first, last), (b'<', b'>') | (b'{', b'}') | (b'%', b'%'))
            || first == b'$' && rest.iter().all(|b| is_word(*b));
        filled_in
            || self.words.is_match(text)
            || self.look_ups.is_match(text)
            || self
                .whole
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.first().is_some_and(|first| text.contains(first)) && text.windows(part.len()).any(|w| w == part)
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

/// Whether a text looks drawn at random rather than composed of words: what tells a key from an identifier, a path or a
/// piece of code of the same length.
///
/// There must be a digit and a letter, and one of: letters that follow digits (words have digits at their ends only:
/// `POLY1305_SHA256`), very many changes between digits, small letters and capitals (a camel-case name has two for each
/// word), or a high entropy without punctuation. A date is none.
fn is_random(text: &[u8]) -> bool {
    let mut letters_or_digits = 0;
    let (mut letter_after_digit, mut changes) = (0, 0);
    let mut before = None;
    for &byte in text {
        let kind = match byte {
            b'0'..=b'9' => Some(0u8),
            b'a'..=b'z' => Some(1),
            b'A'..=b'Z' => Some(2),
            _ => None,
        };
        letters_or_digits += usize::from(kind.is_some());
        if let (Some(a), Some(b)) = (before, kind)
            && a != b
        {
            changes += 1;
            letter_after_digit += usize::from(a == 0);
        }
        before = kind;
    }
    let n = letters_or_digits;
    has_digit_and_letter(text)
        && !begins_with_date(text)
        && (letter_after_digit >= 2 && letter_after_digit * 24 >= n
            || n >= 16 && changes * 20 >= n * 11
            || n >= 20 && n * 8 >= text.len() * 7 && entropy(text) >= 4.2)
}

/// `2026-11-`
fn begins_with_date(text: &[u8]) -> bool {
    text.first_chunk::<8>().is_some_and(|head| {
        head.iter()
            .zip(b"0000-00-")
            .all(|(b, form)| b == form || form.is_ascii_digit() && b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_secrets() {
        let lists = Placeholders::try_from(Lists {
            words: vec!["changeme".into()],
            look_ups: vec!["os.environ".into()],
            whole: vec!["none".into()],
        })
        .unwrap();
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
    fn random_text_is_told_from_words() {
        for text in [
            "getUserById2FromStore",
            "access_token_name_1",
            "SecretString1",
            "/usr/lib/python3.11/site-packages",
            "2026-11-23T01:24:11Z",
            "sha256-of-the-file",
            "TLS13_CHACHA20_POLY1305_SHA256",
            "PrivateSec1KeyDer",
            "correct horse battery",
            "1234567890",
        ] {
            assert!(!is_random(text.as_bytes()), "{text}");
        }
        for text in [
            "U3h99Z8LMJ30yNqqJlFH",
            "20bc9d12e4f73123456789abcdef1234567890ab",
            "kQzWfTbXsLpVmGdHr7cYnJ2e",
            "123e4567-e89b-12d3-a456-426614174000",
        ] {
            assert!(is_random(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_right_checksum_proves_a_token_and_a_wrong_one_refuses_a_number() {
        let token = Check {
            entropy: 8.0,
            checksum: Some(Checksum::Github),
            ..Check::default()
        };
        let right = concat!("ghp_", "pGKCFCqy7IUyZdF9ZegW0sH1rzVBoq3EfJ5v");
        assert!(token.passes(right.as_bytes()));
        assert!(!token.passes(right.replace("Cq", "aq").as_bytes()));
        let number = Check {
            checksum: Some(Checksum::Luhn),
            ..Check::default()
        };
        assert!(number.passes(b"4111 1111 1111 1111"));
        assert!(!number.passes(b"4111 1111 1111 1112"));
    }

    #[test]
    fn entropy_of_two_equal_halves_is_one_bit() {
        assert!((entropy(b"abab") - 1.0).abs() < 1e-9);
    }
}
