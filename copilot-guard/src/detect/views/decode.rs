//! Runs that stand for other bytes: base64, base32, hexadecimal, lists of numbers, ascii85, and what was compressed before.
//!
//! Where in a run a text begins is not known, so each place that a group of digits can have is tried. Most runs are numbers,
//! names and digests: they decode to noise, and only where a stretch of text comes out is it worth a closer look.

use std::io::Read as _;

use super::mail;
use super::mapped::Mapped;
use super::numbers::{self, SHORTEST, Stretch, hex_value};

/// Shortest runs of base64 and base32 that can hold it, and of hexadecimal.
const SHORTEST_BASE64: usize = 16;
const SHORTEST_BASE32: usize = 20;
const SHORTEST_HEX: usize = 24;
/// Shortest run of noughts and ones.
const SHORTEST_BINARY: usize = 96;
/// Most that is inflated of all that stands in one text.
const MOST_INFLATED: u64 = 64 << 10;

/// Gives every text that stands encoded in `text` to `found`.
pub(super) fn decode(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let mut at = 0;
    let mut room = MOST_INFLATED;
    while let Some(start) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|b| is_digit(*b)))
    {
        let start = at + start;
        let run = run(text, start);
        at = run.end.max(start + 1);
        if run.places.len() >= SHORTEST_BASE64 {
            dense(text, &run.places, &mut room, found);
        }
    }
    numbers::lists(text, found);
    numbers::dump(text, found);
    mail::uuencoded(text, found);
}

/// A digit of base64, either alphabet (RFC 4648, sections 4 and 5).
fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Places of digits that belong together.
struct Run {
    places: Vec<usize>,
    end: usize,
}

/// The run that begins here. A line that is long goes on in the next one (RFC 2045, section 6.8), behind blanks, marks of
/// comments and quotes.
fn run(text: &Mapped, start: usize) -> Run {
    let bytes = text.text.as_slice();
    let mut places = Vec::new();
    let (mut at, mut line) = (start, 0);
    // Of prose the last word of a line is no line of base64, a short line by itself may be one.
    let is_line = start == 0
        || bytes
            .get(start - 1)
            .is_some_and(|b| matches!(b, b'\n' | b' ' | b'\t'));
    let least = if is_line { 8 } else { 16 };
    loop {
        match bytes.get(at) {
            Some(b) if is_digit(*b) => {
                places.push(at);
                line += 1;
                at += 1;
            }
            Some(b'\n' | b'\r' | b'\\' | b'"') if line >= least => match next_line(bytes, at) {
                Some(next) => {
                    at = next;
                    line = 0;
                }
                None => return Run { places, end: at },
            },
            _ => return Run { places, end: at },
        }
    }
}

/// Where digits go on behind the end of a line.
fn next_line(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let rest = rest.get(..24).unwrap_or(rest);
    let mut broken = false;
    let mut skip = 0;
    for (n, byte) in rest.iter().enumerate() {
        if n < skip {
            continue;
        }
        match byte {
            b'\n' | b'\r' => {
                broken = true;
                skip = n + 1 + line_mark(rest.get(n + 1..).unwrap_or_default());
            }
            // `\n` within a literal.
            b'\\' if matches!(rest.get(n + 1), Some(b'n' | b'r' | b'\n')) => broken = true,
            b'n' | b'r' if n > 0 && rest.get(n - 1) == Some(&b'\\') => {}
            b' ' | b'\t' | b'#' | b'>' | b'"' | b'+' | b'\\' | b'*' => {}
            b if is_digit(*b) && broken => return Some(at + n),
            _ => return None,
        }
    }
    None
}

/// The length of what numbers a line, or makes it a comment: `12: `, `// `.
fn line_mark(line: &[u8]) -> usize {
    let digits = line.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    match line.get(digits..) {
        Some([b':' | b'.' | b')' | b'|', b' ', ..]) if digits > 0 => digits + 2,
        Some([b'/', b'/', b' ', ..] | [b'-', b'-', b' ', ..]) if digits == 0 => 3,
        _ => 0,
    }
}

fn dense(text: &Mapped, places: &[usize], room: &mut u64, found: &mut dyn FnMut(Mapped)) {
    let byte_at = |n: usize| {
        places
            .get(n)
            .and_then(|p| text.text.get(*p))
            .copied()
            .unwrap_or_default()
    };
    for before in 0..4.min(places.len()) {
        let values = (before..places.len()).map(|n| base64_value(byte_at(n)));
        bits(text, places.get(before..).unwrap_or_default(), values, 6, found);
    }
    compressed(text, places, 6, room, found);
    let is_binary = |n: &usize| matches!(byte_at(*n), b'0' | b'1');
    stretches(places.len(), SHORTEST_BINARY, is_binary, |range| {
        for before in 0..8 {
            let part = places.get(range.start + before..range.end).unwrap_or_default();
            let value = |p: &usize| u8::from(text.text.get(*p) == Some(&b'1'));
            bits(text, part, part.iter().map(value), 1, found);
        }
    });
    let hex = |n: &usize| byte_at(*n).is_ascii_hexdigit();
    stretches(places.len(), SHORTEST_HEX, hex, |range| {
        compressed(
            text,
            places.get(range.clone()).unwrap_or_default(),
            4,
            room,
            found,
        );
        for before in 0..2 {
            let part = places.get(range.start + before..range.end).unwrap_or_default();
            let value = |p: &usize| hex_value(text.text.get(*p).copied().unwrap_or_default());
            bits(text, part, part.iter().map(value), 4, found);
        }
    });
    let base32 = |n: &usize| base32_value(byte_at(*n)).is_some();
    stretches(places.len(), SHORTEST_BASE32, base32, |range| {
        for before in 0..8 {
            let part = places.get(range.start + before..range.end).unwrap_or_default();
            let value =
                |p: &usize| base32_value(text.text.get(*p).copied().unwrap_or_default()).unwrap_or_default();
            bits(text, part, part.iter().map(value), 5, found);
        }
    });
}

/// The longest stretches of `0..count` for which `is` holds, of at least `least`.
fn stretches(
    count: usize,
    least: usize,
    is: impl Fn(&usize) -> bool,
    mut each: impl FnMut(std::ops::Range<usize>),
) {
    let mut start = 0;
    for n in 0..=count {
        if n == count || !is(&n) {
            if n - start >= least {
                each(start..n);
            }
            start = n + 1;
        }
    }
}

fn base64_value(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    }
}

/// RFC 4648, section 6, in either case.
fn base32_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// Joins digits of so many bits to bytes, and gives the stretches of text among them.
fn bits(
    text: &Mapped,
    places: &[usize],
    values: impl Iterator<Item = u8>,
    width: u32,
    found: &mut dyn FnMut(Mapped),
) {
    let (mut pool, mut have, mut first) = (0_u32, 0_u32, 0_usize);
    let mut out = Stretch::default();
    // The same in UTF-16: every other byte is nought.
    let (mut wide, mut is_odd) = (Stretch::default(), false);
    for (n, (place, value)) in places.iter().zip(values).enumerate() {
        if have == 0 {
            first = n;
        }
        pool = pool << width | u32::from(value);
        have += width;
        if have >= 8 {
            have -= 8;
            let byte = u8::try_from(pool >> have & 0xFF).unwrap_or_default();
            pool &= (1 << have) - 1;
            let start = places.get(first).copied().unwrap_or(*place);
            out.push(byte, start..place + 1, text, found);
            match (is_odd, byte) {
                (true, 0) => is_odd = false,
                (was_odd, byte) => {
                    if was_odd {
                        wide.flush(text, found);
                    }
                    wide.push(byte, start..place + 1, text, found);
                    is_odd = byte != 0;
                }
            }
            // What is left of this digit begins the next byte.
            first = n;
        }
    }
    out.flush(text, found);
    wide.flush(text, found);
}

/// Base64 or hexadecimal of gzip (RFC 1952) or zlib (RFC 1950): what is inside stands for the whole run.
fn compressed(text: &Mapped, places: &[usize], width: u32, room: &mut u64, found: &mut dyn FnMut(Mapped)) {
    let byte_at = |place: &usize| text.text.get(*place).copied().unwrap_or_default();
    let value = |byte| {
        if width == 6 {
            base64_value(byte)
        } else {
            hex_value(byte)
        }
    };
    let pack = |places: &[usize]| {
        let (mut pool, mut have) = (0_u32, 0_u32);
        let mut packed = Vec::with_capacity(places.len());
        for place in places {
            pool = pool << width | u32::from(value(byte_at(place)));
            have += width;
            if have >= 8 {
                have -= 8;
                packed.push(u8::try_from(pool >> have & 0xFF).unwrap_or_default());
                pool &= (1 << have) - 1;
            }
        }
        packed
    };
    let head = pack(places.get(..4).unwrap_or_default());
    let is_gzip = head.starts_with(&[0x1F, 0x8B]);
    let is_zlib = matches!(head.as_slice(), [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..]);
    if !is_gzip && !is_zlib {
        return;
    }
    let packed = pack(places);
    let mut plain = Vec::new();
    // What came out before an error counts: a run may be cut.
    let _ = if is_gzip {
        flate2::read::GzDecoder::new(packed.as_slice())
            .take(*room)
            .read_to_end(&mut plain)
    } else {
        flate2::read::ZlibDecoder::new(packed.as_slice())
            .take(*room)
            .read_to_end(&mut plain)
    };
    *room = room.saturating_sub(plain.len() as u64);
    if plain.len() >= SHORTEST
        && let (Some(first), Some(last)) = (places.first(), places.last())
    {
        let mut whole = Mapped::with_capacity(plain.len());
        for byte in plain {
            whole.push(byte, text, *first..last + 1);
        }
        found(whole);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let mut texts = Vec::new();
        decode(&Mapped::identity(text.as_bytes()), &mut |m| {
            texts.push(String::from_utf8_lossy(&m.text).into_owned());
        });
        texts
    }

    #[test]
    fn what_stands_encoded_is_found_at_every_place() {
        let plain = "some plain text, 0123456789";
        let list = |f: &dyn Fn(u8) -> String, by: &str| plain.bytes().map(f).collect::<Vec<_>>().join(by);
        let standard = base64::engine::general_purpose::STANDARD;
        for encoded in [
            standard.encode(plain),
            standard.encode(format!("a{plain}")),
            standard.encode(format!("ab{plain}")),
            format!("xyz{}", standard.encode(plain)),
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(plain),
            list(&|b| format!("{b:02x}"), ""),
            list(&|b| format!("{b:02X}"), ":"),
            list(&|b| format!("0x{b:02x}"), ", "),
            list(&|b| format!("{b}"), ", "),
            list(&|b| format!("{b:03o}"), " "),
            list(&|b| format!("{b:08b}"), " "),
        ] {
            assert!(texts(&encoded).iter().any(|t| t.contains(plain)), "{encoded}");
        }
        let long = standard.encode(plain.repeat(6));
        let lines: Vec<_> = long
            .as_bytes()
            .chunks(76)
            .map(|l| String::from_utf8_lossy(l).into_owned())
            .collect();
        assert!(
            texts(&lines.join("\n  "))
                .iter()
                .any(|t| t.contains(&plain.repeat(6)))
        );
    }

    #[test]
    fn noise_is_nothing() {
        for text in [
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "sha512-Bq9Lxk3uVm1xQ0yJ7uZbWcEJp2nqv4H5dG8sT6rXwYkz1AoMfNgLhPjVtRiQeUyC",
            "getUserByIdFromDatabaseOrCache",
            "1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144",
        ] {
            assert_eq!(texts(text), Vec::<String>::new(), "{text}");
        }
    }
}
