//! Programs whose output is known when their input is: `echo`, `printf`, and what decodes text.

use std::io::Read;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::bound::LONGEST;
use super::flow::Flow;
use super::words::Word;

/// Reads base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a program prints, when it is one of these. `None`: it is none of them.
pub(super) fn output(name: &str, args: &[Word], stdin: &Flow) -> Option<Flow> {
    let texts: Vec<&str> = args.iter().map(|word| word.text.as_str()).collect();
    let is_known = args.iter().all(|word| !word.dynamic);
    let known = |text: Option<String>| match text {
        Some(text) if is_known => Flow::known(text),
        _ => Flow::of(stdin.bits()),
    };
    // What stands in a file is another text than what comes in.
    let has_file = texts.iter().any(|text| !text.starts_with('-') || *text == "-in");
    let decoded = |decode: fn(&str) -> Option<String>| {
        let input = stdin.text.as_deref().filter(|_| is_known && !has_file);
        match input.and_then(decode) {
            Some(text) => Flow::known(text),
            None => Flow::of(stdin.bits() | Flow::DECODED),
        }
    };
    let has = |flags: &[&str]| texts.iter().any(|text| flags.contains(text));
    let cluster = |c: char| {
        texts
            .iter()
            .any(|t| t.starts_with('-') && !t.starts_with("--") && t.contains(c))
    };
    let is_filter = texts.iter().all(|text| text.starts_with('-'));
    Some(match name {
        "echo" => echoed(echo(&texts).filter(|_| is_known), stdin),
        "printf" => echoed(printf(&texts).filter(|_| is_known), stdin),
        "cat" | "tee" if is_filter => stdin.clone(),
        // A number that stands for the program of that name, and a folder of a name that nobody else has.
        "pgrep" | "pidof" => known(texts.last().map(|name| format!("{name}\n"))),
        "mktemp" if is_filter && !has(&["-p", "-t"]) => known(Some("/tmp/tmp.mktemp\n".to_owned())),
        "base64" | "gbase64" if cluster('d') || cluster('D') || has(&["--decode"]) => decoded(base64),
        "base32" | "basenc" if cluster('d') || has(&["--decode"]) => decoded(|_| None),
        // Without `-p` there are offsets and letters beside the digits.
        "xxd" if cluster('r') && cluster('p') => decoded(hex),
        "xxd" if cluster('r') => decoded(|_| None),
        "openssl" if has(&["enc", "base64"]) && has(&["-d"]) => {
            let is_base64 = has(&["-base64", "-a", "base64"]) && !texts.iter().any(|t| t.starts_with("-aes"));
            match stdin
                .text
                .as_deref()
                .filter(|_| is_known && is_base64 && !has(&["-in"]))
            {
                Some(text) => base64(text).map_or(Flow::of(stdin.bits() | Flow::DECODED), Flow::known),
                None => Flow::of(stdin.bits() | Flow::DECODED),
            }
        }
        "rev" => decoded(|text| {
            Some(
                text.lines()
                    .map(|l| l.chars().rev().collect::<String>() + "\n")
                    .collect(),
            )
        }),
        "tac" => decoded(|text| Some(text.lines().rev().map(|l| format!("{l}\n")).collect())),
        "tr" => {
            let text = stdin.text.as_deref().filter(|_| is_known);
            let translated = text.and_then(|text| match texts.as_slice() {
                ["-d", set] => {
                    let set = char_set(set)?;
                    Some(text.chars().filter(|c| !set.contains(c)).collect())
                }
                [from, to] if !from.starts_with('-') => translate(text, from, to),
                _ => None,
            });
            translated.map_or(Flow::of(stdin.bits() | Flow::DECODED), Flow::known)
        }
        "gunzip" | "zcat" | "gzcat" => decoded(|_| None),
        "gzip" | "xz" | "zstd" | "bzip2" | "lz4" | "brotli"
            if cluster('d') || has(&["--decompress", "--uncompress"]) =>
        {
            decoded(|_| None)
        }
        "bunzip2" | "bzcat" | "unxz" | "xzcat" | "uudecode" | "unzstd" | "zstdcat" => decoded(|_| None),
        _ => return None,
    })
}

/// What was printed. Where it is not certain which text that is, it may be any.
fn echoed(text: Option<String>, stdin: &Flow) -> Flow {
    text.map_or(Flow::of(stdin.bits() | Flow::DATA), Flow::known)
}

/// `None` where shells differ, or print what no text holds.
fn echo(args: &[&str]) -> Option<String> {
    let is_flag =
        |a: &&&str| a.len() > 1 && a.starts_with('-') && a.chars().skip(1).all(|c| "neE".contains(c));
    let flags = args.iter().take_while(is_flag).count();
    let has_escapes = args.iter().take(flags).any(|flag| flag.contains('e'));
    let text = args.get(flags..).unwrap_or_default().join(" ");
    let text = if has_escapes {
        unescape(&text, Escapes::Echo)?
    } else if has_echo_escape(&text) {
        // `dash` reads them without being asked to.
        return None;
    } else {
        text
    };
    Some(text + "\n")
}

/// Whether a shell might read an escape in what `echo` is given.
fn has_echo_escape(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| {
        matches!(
            pair,
            [
                b'\\',
                b'0'..=b'7' | b'a'..=b'c' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\',
            ]
        )
    })
}

/// `%s`, `%b`, `%d` and escapes.
fn printf(args: &[&str]) -> Option<String> {
    let args = args.strip_prefix(&["--"]).unwrap_or(args);
    let (format, mut values) = args.split_first()?;
    let format = unescape(format, Escapes::Format)?;
    let mut out = String::new();
    loop {
        let before = values.len();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            // Widths and precisions add to the text or cut it.
            let kind = chars.next()?;
            if kind == '%' {
                out.push('%');
                continue;
            }
            let value = values.split_first().map_or("", |(first, rest)| {
                values = rest;
                *first
            });
            match kind {
                's' => out.push_str(value),
                'd' | 'i' | 'u' if !value.is_empty() && value.bytes().all(|b| matches!(b, b'1'..=b'9')) => {
                    out.push_str(value);
                }
                'b' => out.push_str(&unescape(value, Escapes::Echo)?),
                'c' => out.extend(value.chars().next()),
                _ => return None,
            }
            if out.len() > LONGEST {
                return None;
            }
        }
        if values.is_empty() || values.len() == before {
            return Some(out);
        }
    }
}

/// Where escapes stand: what each reads differs a little.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `$'…'`.
    Quote,
    /// The format of `printf`.
    Format,
    /// `echo -e` and `%b`: a zero may have three digits behind it.
    Echo,
}

/// The text that escapes stand for. `None` where one ends the text, or means one thing here and another there.
pub(super) fn unescape(text: &str, escapes: Escapes) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let Some((escape, after)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        rest = after;
        let (radix, most) = match escape {
            b'x' => (16, 2),
            b'u' => (16, 4),
            b'U' => (16, 8),
            b'0'..=b'7' => (8, 3),
            _ => (0, 0),
        };
        if radix > 0 {
            let digits = if radix == 8 {
                rest_from(escape, rest, text)
            } else {
                rest
            };
            let most = if *escape == b'0' && escapes == Escapes::Echo {
                4
            } else {
                most
            };
            let length = digits
                .iter()
                .take(most)
                .take_while(|b| char::from(**b).is_digit(radix))
                .count();
            let number = digits.get(..length).and_then(|d| std::str::from_utf8(d).ok());
            let number = number.and_then(|d| u32::from_str_radix(d, radix).ok())?;
            rest = digits.get(length..).unwrap_or_default();
            if matches!(escape, b'u' | b'U') {
                let c = char::from_u32(number).filter(|c| *c != '\0')?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                // A NUL ends the text in some places, and vanishes in others.
                out.push(u8::try_from(number).ok().filter(|byte| *byte != 0)?);
            }
            continue;
        }
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            // It ends what is printed, or makes a control character of what is behind it.
            b'c' => return None,
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'e' | b'E' => out.push(0x1b),
            b'\\' => out.push(b'\\'),
            b'\'' | b'"' | b'?' if escapes != Escapes::Echo => out.push(*escape),
            other => out.extend_from_slice(&[b'\\', *other]),
        }
    }
    String::from_utf8(out).ok()
}

/// The rest with its escape in front again: an octal number begins with it.
fn rest_from<'t>(escape: &u8, rest: &'t [u8], text: &'t str) -> &'t [u8] {
    let _ = escape;
    let from = text.len() - rest.len() - 1;
    text.as_bytes().get(from..).unwrap_or_default()
}

/// Text that was base64; gzip inside is opened as well.
pub(super) fn base64(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    plain(BASE64.decode(text).ok()?)
}

fn hex(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    plain(digits.chunks_exact(2).map(byte).collect::<Option<Vec<u8>>>()?)
}

/// Bytes as text, unpacked when they are packed.
fn plain(bytes: Vec<u8>) -> Option<String> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = String::new();
        let unpacked = flate2::read::GzDecoder::new(bytes.as_slice());
        unpacked.take(LONGEST as u64).read_to_string(&mut text).ok()?;
        return Some(text);
    }
    String::from_utf8(bytes).ok()
}

/// The characters that `tr` takes a set for. `None` for what is not certain.
fn char_set(set: &str) -> Option<Vec<char>> {
    let set = set
        .replace("[:space:]", " \t\n\u{b}\u{c}\r")
        .replace("[:lower:]", "a-z")
        .replace("[:upper:]", "A-Z")
        .replace("[:digit:]", "0-9")
        .replace("[:alpha:]", "A-Za-z")
        .replace("[:alnum:]", "0-9A-Za-z");
    if set.contains("[:") || set.contains("[=") || set.contains('*') {
        return None;
    }
    let set = unescape(&set, Escapes::Format)?;
    if set.chars().count() > 256 {
        return None;
    }
    let chars: Vec<char> = set.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(from) = chars.get(at) {
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(to)) if to < from || *to as u32 - *from as u32 >= 256 => return None,
            (Some('-'), Some(to)) => {
                out.extend(*from..=*to);
                at += 3;
            }
            _ => {
                out.push(*from);
                at += 1;
            }
        }
    }
    Some(out)
}

fn translate(text: &str, from: &str, to: &str) -> Option<String> {
    let (from, to) = (char_set(from)?, char_set(to)?);
    // The last place of a character that stands twice is the one that counts.
    let map = |c: char| match from.iter().rposition(|f| *f == c) {
        Some(at) => to.get(at).or(to.last()).copied().unwrap_or(c),
        None => c,
    };
    Some(text.chars().map(map).collect())
}
