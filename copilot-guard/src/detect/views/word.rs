//! Ordinary words: small letters, perhaps a capital first, punctuation around. They stand for nothing else.

use super::class::{AROUND, BLANK, LOWER, UPPER, class};

/// Where in an ordinary word a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Word {
    /// Before it: at a blank, or behind punctuation that may begin one.
    Before,
    /// In its small letters.
    Within,
    /// Behind a mark that may stand in the middle of a word.
    Joint,
    /// Behind its punctuation.
    Behind,
    /// Behind its capital, which passes together with the small letter that follows.
    Capital,
}

const STATES: usize = 5;
const STOP: u8 = 255;
/// Bytes of a kind are alike: seven kinds.
const KINDS: usize = 8;

static KIND: [u8; 256] = kinds();
static NEXT: [u8; STATES * KINDS] = next();

const fn kinds() -> [u8; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let byte = n as u8;
        let class = class(byte);
        table[n] = if class & LOWER != 0 {
            1
        } else if class & UPPER != 0 {
            2
        } else if class & BLANK != 0 {
            3
        } else if matches!(byte, b'\'' | b'-' | b'/') {
            4
        } else if class & AROUND != 0 {
            5
        } else {
            0
        };
        n += 1;
    }
    table
}

const fn next() -> [u8; STATES * KINDS] {
    let mut table = [STOP; STATES * KINDS];
    let (before, within, joint, behind, capital) = (
        Word::Before as usize,
        Word::Within as usize,
        Word::Joint as usize,
        Word::Behind as usize,
        Word::Capital as usize,
    );
    let mut state = 0;
    while state < STATES {
        if state != behind {
            table[state * KINDS + 1] = Word::Within as u8;
        }
        if state != capital {
            table[state * KINDS + 3] = Word::Before as u8;
            table[state * KINDS + 4] = Word::Behind as u8;
            table[state * KINDS + 5] = Word::Behind as u8;
        }
        state += 1;
    }
    table[before * KINDS + 2] = Word::Capital as u8;
    table[before * KINDS + 4] = Word::Before as u8;
    table[before * KINDS + 5] = Word::Before as u8;
    table[within * KINDS + 4] = Word::Joint as u8;
    let _ = joint;
    table
}

/// The same automaton once more, for each byte the next states of all states, six bits each: one shift makes a step, which
/// waits for nothing but the step before.
static STEPS: [u64; 256] = steps();

const fn steps() -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut state = 0;
        while state < STATES {
            let next = NEXT[state * KINDS + KIND[byte] as usize];
            let next = if next == STOP { STATES as u8 } else { next };
            table[byte] |= (next as u64 * 6) << (state * 6);
            state += 1;
        }
        table[byte] |= (STATES as u64 * 6) << (STATES * 6);
        byte += 1;
    }
    table
}

/// How many bytes of ordinary words stand here, and where the last of them leaves the text.
#[inline]
pub(super) fn pass(word: Word, text: &[u8]) -> (usize, Word) {
    let mut state = word as u64 * 6;
    for byte in text {
        state = STEPS[*byte as usize] >> (state & 63);
    }
    match (state & 63) / 6 {
        0 => (text.len(), Word::Before),
        1 => (text.len(), Word::Within),
        2 => (text.len(), Word::Joint),
        3 => (text.len(), Word::Behind),
        _ => pass_by_state(word, text),
    }
}

#[cold]
fn pass_by_state(word: Word, text: &[u8]) -> (usize, Word) {
    let mut state = word as u8;
    let mut at = 0;
    for byte in text {
        let kind = KIND[*byte as usize];
        let next = NEXT[(state as usize * KINDS + kind as usize) & (KINDS * 8 - 1)];
        if next == STOP {
            break;
        }
        state = next;
        at += 1;
    }
    if state == Word::Capital as u8 {
        // It stays with what follows.
        return (at - 1, Word::Before);
    }
    let word = match state {
        0 => Word::Before,
        1 => Word::Within,
        2 => Word::Joint,
        _ => Word::Behind,
    };
    (at, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes() {
        for (text, passed, word) in [
            ("hello there", 11, Word::Within),
            ("The end. ", 9, Word::Before),
            ("it's well-known, (or so)", 24, Word::Behind),
            ("I am", 0, Word::Before),
            ("The A", 4, Word::Before),
            ("ghp_x", 3, Word::Within),
            ("a.b", 2, Word::Behind),
            ("and/or", 6, Word::Within),
            ("x1", 1, Word::Within),
            ("**bold** text", 13, Word::Within),
            ("say \"yes\"", 9, Word::Behind),
        ] {
            assert_eq!(pass(Word::Before, text.as_bytes()), (passed, word), "{text}");
        }
    }
}
