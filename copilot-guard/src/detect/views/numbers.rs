//! Numbers that are the bytes of a text: lists of them, and dumps.

use super::mapped::Mapped;

/// Shortest text that is worth a look.
pub(super) const SHORTEST: usize = 12;
/// Shortest list of numbers.
const SHORTEST_LIST: usize = 10;

/// A digit of hexadecimal.
pub(super) fn hex_value(byte: u8) -> u8 {
    char::from(byte)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
        .unwrap_or_default()
}

/// Decoded bytes, as long as they are text.
#[derive(Default)]
pub(super) struct Stretch(Vec<(u8, std::ops::Range<usize>)>);

impl Stretch {
    pub(super) fn push(
        &mut self,
        byte: u8,
        source: std::ops::Range<usize>,
        text: &Mapped,
        found: &mut dyn FnMut(Mapped),
    ) {
        if matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t') {
            self.0.push((byte, source));
        } else {
            self.flush(text, found);
        }
    }

    pub(super) fn flush(&mut self, text: &Mapped, found: &mut dyn FnMut(Mapped)) {
        if self.0.len() >= SHORTEST {
            let mut decoded = Mapped::with_capacity(self.0.len());
            for (byte, source) in self.0.drain(..) {
                decoded.push(byte, text, source);
            }
            found(decoded);
        }
        self.0.clear();
    }
}

/// What makes a character of a number.
const CALLS: &[&[u8]] = &[
    b"chr",
    b"char",
    b"fromcharcode",
    b"fromcodepoint",
    b"rune",
    b"string",
    // `U+0041`.
    b"u",
    b"unichr",
    b"chrw",
];

/// Lists of numbers that are bytes: `65, 75, 73`, `0x41 0x4b`, `41:4b:49`, `101 113`, `01000001 01001011`.
pub(super) fn lists(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let mut numbers: Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some(number) = number(bytes, at) else {
            let rest = bytes.get(at..).unwrap_or_default();
            let word = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            if word > 0 {
                if !CALLS
                    .iter()
                    .any(|call| rest.get(..word).is_some_and(|w| w.eq_ignore_ascii_case(call)))
                {
                    list(text, &numbers, found);
                    numbers.clear();
                }
                at += word;
            } else {
                at += 1;
            }
            continue;
        };
        let (whole, digits) = number;
        if numbers
            .last()
            .is_some_and(|(last, _)| whole.start - last.end > 32)
        {
            list(text, &numbers, found);
            numbers.clear();
        }
        at = whole.end;
        numbers.push((whole, digits));
    }
    list(text, &numbers, found);
}

/// A number of at most eight digits that begins here: all of it, and its digits.
fn number(bytes: &[u8], at: usize) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let rest = bytes.get(at..)?;
    let word = rest
        .iter()
        .take(12)
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    let prefix = match rest {
        [b'0', b'x' | b'X' | b'b' | b'B' | b'o', ..] if word > 2 => 2,
        [b'x' | b'u', ..] if word > 1 => 1,
        _ => 0,
    };
    // Types of Rust's numbers.
    let suffix = match rest.get(..word) {
        Some([.., b'u' | b'i', b'8']) if word > 2 => 2,
        _ => 0,
    };
    let digits = at + prefix..at + word - suffix.min(word - prefix);
    let length = digits.len();
    let all_hex = bytes.get(digits.clone())?.iter().all(u8::is_ascii_hexdigit);
    (all_hex && (1..=8).contains(&length)).then_some((at..at + word, digits))
}

fn list(
    text: &Mapped,
    numbers: &[(std::ops::Range<usize>, std::ops::Range<usize>)],
    found: &mut dyn FnMut(Mapped),
) {
    if numbers.len() < SHORTEST_LIST {
        return;
    }
    let read = |radix: u32, least: usize, most: usize| {
        let mut out = Stretch::default();
        let mut texts = Vec::new();
        for (whole, digits) in numbers {
            let digits = text.text.get(digits.clone()).unwrap_or_default();
            let value = std::str::from_utf8(digits)
                .ok()
                .filter(|d| (least..=most).contains(&d.len()))
                .and_then(|d| u32::from_str_radix(d, radix).ok())
                .and_then(|v| u8::try_from(v).ok());
            // A number that is none of these ends the text.
            out.push(value.unwrap_or_default(), whole.clone(), text, &mut |m| {
                texts.push(m)
            });
        }
        out.flush(text, &mut |m| texts.push(m));
        texts
    };
    for (radix, least, most) in [(16, 2, 2), (10, 2, 3), (8, 2, 4), (2, 7, 8), (16, 4, 4)] {
        read(radix, least, most).into_iter().for_each(&mut *found);
    }
}

/// Dumps of bytes, as `xxd`, `hexdump -C` and `od` print them: an offset, bytes in hexadecimal, and what of them is text. A
/// byte stands for all of its line from there, since the text is told there again.
pub(super) fn dump(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let mut out = Stretch::default();
    let mut line = 0;
    let mut lines = 0;
    while line < bytes.len() {
        let rest = bytes.get(line..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let end = line + length;
        match offset(rest.get(..length).unwrap_or_default()) {
            Some(behind) => {
                lines += 1;
                for (start, value) in dumped(bytes.get(..end).unwrap_or_default(), line + behind) {
                    out.push(value, start..end, text, found);
                }
            }
            None if lines > 0 => {
                out.flush(text, found);
                lines = 0;
            }
            None => {}
        }
        line = end + 1;
    }
    out.flush(text, found);
}

/// The length of the offset that a line of a dump begins with: `00000010:`, `00000010`, `0000020`.
pub(super) fn offset(line: &[u8]) -> Option<usize> {
    let digits = line.iter().take(9).take_while(|b| b.is_ascii_hexdigit()).count();
    let behind = match line.get(digits) {
        Some(b':') => digits + 1,
        Some(b' ') => digits,
        _ => return None,
    };
    (matches!(digits, 7 | 8) && line.get(behind) == Some(&b' ')).then_some(behind)
}

/// The bytes of a line of a dump, each with the place where it stands.
fn dumped(line: &[u8], from: usize) -> Vec<(usize, u8)> {
    let mut values = Vec::new();
    let mut at = from;
    while values.len() < 32 {
        let rest = line.get(at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|b| **b == b' ').count();
        let digits: Vec<u8> = rest
            .iter()
            .skip(blanks)
            .take_while(|b| b.is_ascii_hexdigit())
            .map(|b| hex_value(*b))
            .collect();
        let is_word = rest
            .get(blanks + digits.len())
            .is_none_or(|b| matches!(b, b' ' | b'\r'));
        // What is told as text stands behind a wider gap.
        let is_column = blanks > 2 || values.len() > 8 && blanks > 1;
        if blanks == 0 || is_column || !is_word || !matches!(digits.len(), 2 | 4 | 8) {
            break;
        }
        let start = at + blanks;
        for (n, pair) in digits.chunks_exact(2).enumerate() {
            if let [high, low] = pair {
                values.push((start + 2 * n, high << 4 | low));
            }
        }
        at = start + digits.len();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumps(text: &str) -> Vec<String> {
        let mut texts = Vec::new();
        dump(&Mapped::identity(text.as_bytes()), &mut |m| {
            texts.push(String::from_utf8_lossy(&m.text).into_owned());
        });
        texts
    }

    #[test]
    fn dumps_are_read() {
        let xxd = "00000000: 746f 6b65 6e3d 736b 2d61 6e74 2d61 7069  token=sk-ant-api\n\
                   00000010: 3033 2d44 4d4d 650a                      03-DMMe.\n";
        let hexdump = "00000000  6b 65 79 3a 20 41 49 7a  61 53 79 44 32 52 31 66  |key: AIzaSyD2R1f|\n\
                       00000010  41 33 4f 50 61 77 64 4c                           |A3OPawdL|\n00000018";
        let od = "0000000 41 4b 49 41 45 5a 47 42 47 54 57 54 4d 45 50 48\n0000020 4d 35 35 41\n0000024\n";
        assert_eq!(dumps(xxd), ["token=sk-ant-api03-DMMe\n"]);
        assert_eq!(dumps(hexdump), ["key: AIzaSyD2R1fA3OPawdL"]);
        assert_eq!(dumps(od), ["AKIAEZGBGTWTMEPHM55A"]);
        assert_eq!(dumps("2024-01-01 12 13\n20240101 ab cd\n"), Vec::<String>::new());
    }
}
