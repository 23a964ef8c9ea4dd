//! What a byte may be part of.

/// Letters of either case, digits.
pub(super) const LOWER: u8 = 1;
pub(super) const UPPER: u8 = 2;
pub(super) const DIGIT: u8 = 4;
/// Space, tabulators, ends of lines and pages.
pub(super) const BLANK: u8 = 8;
/// Punctuation that ordinary words stand in: it begins and ends them.
pub(super) const AROUND: u8 = 16;
/// Begins an escape.
pub(super) const ESCAPE: u8 = 32;
/// Part of a character that is not ASCII.
pub(super) const FOREIGN: u8 = 64;
/// A quote.
pub(super) const QUOTE: u8 = 128;

pub(super) const ALNUM: u8 = LOWER | UPPER | DIGIT;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        table[n] = match n as u8 {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            // It may be dropped, and then joins what it stood between.
            b'\r' => 0,
            b'\t' | b'\n' | 0x0B | 0x0C | b' ' => BLANK,
            // Nobody sees them.
            0..=0x1F | 0x7F => ESCAPE,
            b'%' | b'\\' | b'&' => ESCAPE,
            b'"' | b'\'' | b'`' => QUOTE | AROUND,
            b'.' | b',' | b';' | b':' | b'!' | b'?' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'*'
            | b'#' | b'-' | b'>' | b'|' => AROUND,
            0x80..=0xFF => FOREIGN,
            _ => 0,
        };
        n += 1;
    }
    table
}

#[inline]
pub(super) const fn class(byte: u8) -> u8 {
    CLASSES[byte as usize]
}
