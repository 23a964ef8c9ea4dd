//! Runs that stand for other bytes: base64, base32, hexadecimal, lists of numbers, ascii85, and what was compressed before.
//!
//! Where in a run a text begins is not known, so each place that a group of digits can have is tried. Most runs are numbers,
//! names and digests: they decode to noise, and only where a stretch of text comes out is it worth a closer look.

use std::io::Read as _;

use super::mapped::Mapped;

/// Shortest text that is worth a look.
const SHORTEST: usize = 12;
/// Shortest runs of base64 and base32 that can hold it, and of hexadecimal.
const SHORTEST_BASE64: usize = 16;
const SHORTEST_BASE32: usize = 20;
const SHORTEST_HEX: usize = 24;
/// Shortest list of numbers.
const SHORTEST_LIST: usize = 10;
/// Most that is inflated.
const MOST_INFLATED: u64 = 64 << 10;

/// Gives every text that stands encoded in `text` to `found`.
pub(super) fn decode(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let mut at = 0;
    while let Some(start) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|b| is_digit(*b)))
    {
        let start = at + start;
        let run = run(text, start);
        at = run.end.max(start + 1);
        if run.places.len() >= SHORTEST_BASE64 {
            dense(text, &run.places, found);
        }
    }
    lists(text, found);
    ascii85(text, found);
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
    loop {
        match bytes.get(at) {
            Some(b) if is_digit(*b) => {
                places.push(at);
                line += 1;
                at += 1;
            }
            Some(b'\n' | b'\r' | b'\\' | b'"') if line >= 16 => match next_line(bytes, at) {
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
    for (n, byte) in rest.iter().enumerate() {
        match byte {
            b'\n' | b'\r' => broken = true,
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

fn dense(text: &Mapped, places: &[usize], found: &mut dyn FnMut(Mapped)) {
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
    compressed(text, places, found);
    let hex = |n: &usize| byte_at(*n).is_ascii_hexdigit();
    stretches(places.len(), SHORTEST_HEX, hex, |range| {
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

fn hex_value(byte: u8) -> u8 {
    char::from(byte)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
        .unwrap_or_default()
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
            // What is left of this digit begins the next byte.
            first = n;
        }
    }
    out.flush(text, found);
}

/// Decoded bytes, as long as they are text.
#[derive(Default)]
struct Stretch(Vec<(u8, std::ops::Range<usize>)>);

impl Stretch {
    fn push(
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

    fn flush(&mut self, text: &Mapped, found: &mut dyn FnMut(Mapped)) {
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

/// Base64 of gzip (RFC 1952) or zlib (RFC 1950): what is inside stands for the whole run.
fn compressed(text: &Mapped, places: &[usize], found: &mut dyn FnMut(Mapped)) {
    let head: Vec<u8> = places
        .iter()
        .take(4)
        .filter_map(|p| text.text.get(*p))
        .copied()
        .collect();
    let is_gzip = head.starts_with(b"H4sI");
    let is_zlib = matches!(head.as_slice(), [b'e', b'J' | b'N' | b'A' | b'F', ..]);
    if !is_gzip && !is_zlib {
        return;
    }
    let (mut pool, mut have) = (0_u32, 0_u32);
    let mut packed = Vec::with_capacity(places.len());
    for place in places {
        pool = pool << 6 | u32::from(base64_value(text.text.get(*place).copied().unwrap_or_default()));
        have += 6;
        if have >= 8 {
            have -= 8;
            packed.push(u8::try_from(pool >> have & 0xFF).unwrap_or_default());
            pool &= (1 << have) - 1;
        }
    }
    let mut plain = Vec::new();
    // What came out before an error counts: a run may be cut.
    let _ = if is_gzip {
        flate2::read::GzDecoder::new(packed.as_slice())
            .take(MOST_INFLATED)
            .read_to_end(&mut plain)
    } else {
        flate2::read::ZlibDecoder::new(packed.as_slice())
            .take(MOST_INFLATED)
            .read_to_end(&mut plain)
    };
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

/// What makes a character of a number.
const CALLS: &[&[u8]] = &[b"chr", b"char", b"fromcharcode", b"rune", b"unichr", b"chrw"];

/// Lists of numbers that are bytes: `65, 75, 73`, `0x41 0x4b`, `41:4b:49`, `101 113`, `01000001 01001011`.
fn lists(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
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
            .is_some_and(|(last, _)| whole.start - last.end > 12)
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
    let digits = at + prefix..at + word;
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
    for (radix, least, most) in [(16, 2, 2), (10, 2, 3), (8, 2, 3), (2, 7, 8), (16, 4, 4)] {
        read(radix, least, most).into_iter().for_each(&mut *found);
    }
}

/// Adobe's ascii85, which says where it begins and ends: `<~…~>`.
fn ascii85(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let Some(start) = memchr::memmem::find(bytes, b"<~") else {
        return;
    };
    let inner = bytes.get(start + 2..).unwrap_or_default();
    let Some(length) = memchr::memmem::find(inner, b"~>") else {
        return;
    };
    let source = start..start + length + 4;
    let digits: Vec<u8> = inner
        .iter()
        .take(length)
        .copied()
        .filter(|b| (b'!'..=b'u').contains(b))
        .collect();
    let mut out = Stretch::default();
    for group in digits.chunks(5) {
        let mut padded = [b'u'; 5];
        for (to, from) in padded.iter_mut().zip(group) {
            *to = *from;
        }
        let value = padded.iter().fold(0_u64, |v, d| v * 85 + u64::from(d - b'!'));
        let value = u32::try_from(value).unwrap_or_default().to_be_bytes();
        for byte in value.into_iter().take(group.len().saturating_sub(1)) {
            out.push(byte, source.clone(), text, found);
        }
    }
    out.flush(text, found);
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
