//! Escapes of programming languages, addresses, HTML and mail, undone; and markup that stands within words, taken out.

use super::mapped::Mapped;

/// The text without escapes; `None` when it has none. `%41`, `\x41`, `\u0041`, `\u{41}`, `\U00000041`, `\101`, `&#65;`,
/// `&#x41;`, some named entities, `=41` and soft line breaks of quoted-printable, and a backslash before punctuation.
pub(super) fn unescape(text: &Mapped) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    memchr::memchr3(b'%', b'\\', b'&', bytes).or_else(|| memchr::memchr2(b'=', b'\r', bytes))?;
    let printable = is_quoted_printable(bytes);
    let mut out = Mapped::with_capacity(text.len());
    let (mut at, mut done) = (0, 0);
    while let Some(found) = bytes.get(at..).and_then(next_introducer) {
        let start = at + found;
        let rest = bytes.get(start..).unwrap_or_default();
        match read(rest, printable) {
            Some((c, length)) => {
                out.copy(text, done..start);
                if let Some(c) = c {
                    out.push_char(c, text, start..start + length);
                }
                at = start + length;
                done = at;
            }
            None => at = start + 1,
        }
    }
    if done == 0 {
        return None;
    }
    out.copy(text, done..bytes.len());
    Some(out)
}

fn next_introducer(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|b| matches!(b, b'%' | b'\\' | b'&' | b'=' | b'\r'))
}

/// Base64 padding and assignments look like an escape of quoted-printable: one alone is none.
fn is_quoted_printable(bytes: &[u8]) -> bool {
    let is_upper_hex = |b: &u8| b.is_ascii_digit() || matches!(b, b'A'..=b'F');
    let escapes = bytes
        .windows(3)
        .filter(|w| matches!(w, [b'=', a, b] if is_upper_hex(a) && is_upper_hex(b)));
    escapes.take(3).count() == 3
}

/// The escape that begins here: what it stands for (nothing, for what joins), and its length.
fn read(rest: &[u8], printable: bool) -> Option<(Option<char>, usize)> {
    match rest {
        [b'%', a, b, ..] => Some((Some(ascii(hex2(*a, *b)?)?), 3)),
        [b'=', b'\n', ..] => Some((None, 2)),
        [b'=', b'\r', b'\n', ..] => Some((None, 3)),
        // Some clients drop a carriage return that stands alone.
        [b'\r', c, ..] if *c != b'\n' => Some((None, 1)),
        [b'=', a, b, ..] if printable => {
            let byte = hex2(*a, *b).filter(|_| !a.is_ascii_lowercase() && !b.is_ascii_lowercase())?;
            byte.is_ascii_graphic().then_some((Some(char::from(byte)), 3))
        }
        [b'\\', b'x' | b'X', a, b, ..] => Some((Some(ascii(hex2(*a, *b)?)?), 4)),
        [b'\\', b'u', b'{', more @ ..] => {
            let end = more.iter().take(8).position(|b| *b == b'}')?;
            Some((Some(code(more.get(..end)?, 16)?), 4 + end))
        }
        [b'\\', b'u', more @ ..] => Some((Some(code(more.get(..4)?, 16)?), 6)),
        [b'\\', b'U', more @ ..] => Some((Some(code(more.get(..8)?, 16)?), 10)),
        [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            let value = u32::from(a - b'0') * 64 + u32::from(b - b'0') * 8 + u32::from(c - b'0');
            Some((char::from_u32(value), 4))
        }
        [b'\\', b'\n', ..] => Some((None, 2)),
        [b'\\', b'\r', b'\n', ..] => Some((None, 3)),
        [b'\\', c, ..] if c.is_ascii_punctuation() => Some((Some(char::from(*c)), 2)),
        [b'&', b'#', b'x' | b'X', more @ ..] => {
            let (c, length) = reference(more, 16)?;
            Some((Some(c), 3 + length))
        }
        [b'&', b'#', more @ ..] => {
            let (c, length) = reference(more, 10)?;
            Some((Some(c), 2 + length))
        }
        [b'&', more @ ..] => {
            let end = more.iter().take(16).position(|b| *b == b';')?;
            let name = more.get(..end)?;
            let (_, to) = ENTITIES.iter().find(|(known, _)| known.as_bytes() == name)?;
            Some((*to, end + 2))
        }
        _ => None,
    }
}

/// A number, and its `;` where it has one.
fn reference(bytes: &[u8], radix: u32) -> Option<(char, usize)> {
    let is_digit = |b: &u8| char::from(*b).is_digit(radix);
    let digits = bytes.iter().take(8).take_while(|b| is_digit(b)).count();
    let c = code(bytes.get(..digits)?, radix)?;
    let semicolon = usize::from(bytes.get(digits) == Some(&b';'));
    Some((c, digits + semicolon))
}

fn code(digits: &[u8], radix: u32) -> Option<char> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    char::from_u32(u32::from_str_radix(text, radix).ok().filter(|_| is_plain)?)
}

fn ascii(byte: u8) -> Option<char> {
    byte.is_ascii().then(|| char::from(byte))
}

fn hex2(a: u8, b: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(a)? << 4 | digit(b)?)
}

/// HTML's names for ASCII characters and for what is not drawn (WHATWG HTML, section 13.5).
const ENTITIES: &[(&str, Option<char>)] = &[
    ("amp", Some('&')),
    ("lt", Some('<')),
    ("gt", Some('>')),
    ("quot", Some('"')),
    ("apos", Some('\'')),
    ("nbsp", Some(' ')),
    ("lowbar", Some('_')),
    ("UnderBar", Some('_')),
    ("hyphen", Some('-')),
    ("dash", Some('-')),
    ("sol", Some('/')),
    ("bsol", Some('\\')),
    ("plus", Some('+')),
    ("equals", Some('=')),
    ("period", Some('.')),
    ("colon", Some(':')),
    ("commat", Some('@')),
    ("num", Some('#')),
    ("percnt", Some('%')),
    ("dollar", Some('$')),
    ("lpar", Some('(')),
    ("rpar", Some(')')),
    ("Tab", Some('\t')),
    ("NewLine", Some('\n')),
    ("shy", None),
    ("ZeroWidthSpace", None),
    ("zwj", None),
    ("zwnj", None),
    ("NoBreak", None),
];

/// Longest tag or comment that is taken out.
const LONGEST_TAG: usize = 512;

/// The text without tags, comments and emphasis; `None` when it has none.
pub(super) fn strip_markup(text: &Mapped) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    let is_mark = |b: &u8| matches!(b, b'<' | b'*' | b'`' | b'~');
    bytes.iter().position(is_mark)?;
    let mut out = Mapped::with_capacity(text.len());
    let (mut at, mut done) = (0, 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(is_mark)) {
        let start = at + found;
        let rest = bytes.get(start..).unwrap_or_default();
        let length = match rest {
            [b'<', b'!', b'-', b'-', ..] => memchr::memmem::find(within(rest), b"-->").map(|n| n + 3),
            [b'<', c, ..] if c.is_ascii_alphabetic() || *c == b'/' => {
                memchr::memchr(b'>', within(rest)).map(|n| n + 1)
            }
            [b'<', ..] => None,
            [b'_', b'_', ..] | [b'~', b'~', ..] => Some(2),
            [b'~', ..] => None,
            _ => Some(1),
        };
        match length {
            Some(length) => {
                out.copy(text, done..start);
                at = start + length;
                done = at;
            }
            None => at = start + 1,
        }
    }
    if done == 0 {
        return None;
    }
    out.copy(text, done..bytes.len());
    Some(out)
}

fn within(rest: &[u8]) -> &[u8] {
    rest.get(..LONGEST_TAG).unwrap_or(rest)
}

/// The text with string literals joined that a program would join; `None` when there are none.
/// `'a' + 'b'`, `"a" "b"`, `"a", "b"`, `"a" . "b"`, `"a" .. "b"`, `"a" & "b"`, `"a" || "b"`, and over lines.
pub(super) fn join_literals(text: &Mapped) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    memchr::memchr3(b'"', b'\'', b'`', bytes)?;
    let mut out = Mapped::with_capacity(text.len());
    let (mut at, mut done) = (0, 0);
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| memchr::memchr3(b'"', b'\'', b'`', rest))
    {
        let start = at + found;
        match bytes.get(start + 1..).and_then(joint) {
            Some(length) => {
                out.copy(text, done..start);
                at = start + 1 + length;
                done = at;
            }
            None => at = start + 1,
        }
    }
    if done == 0 {
        return None;
    }
    out.copy(text, done..bytes.len());
    Some(out)
}

/// What joins as an operator does.
const CALLS: &[&[u8]] = &[b"append(", b"concat(", b"push_str(", b"push(", b"add(", b"write("];

/// What stands behind a closing quote up to and with the next opening one, when it joins the two.
fn joint(rest: &[u8]) -> Option<usize> {
    let rest = rest.get(..64).unwrap_or(rest);
    let mut at = 0;
    let mut operators = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' | b'\'' | b'`' => return Some(at + 1),
            b' ' | b'\t' | b'\n' | b'\r' | b'\\' | b'(' | b')' | b'[' | b']' | b'$' => at += 1,
            b'+' | b'.' | b',' | b'&' | b'|' | b'<' | b'~' | b';' if operators < 2 => {
                operators += 1;
                at += 1;
            }
            // Prefixes of Python's, Rust's and C++'s literals.
            b'f' | b'r' | b'b' | b'u' | b'L' if matches!(rest.get(at + 1), Some(b'"' | b'\'')) => at += 1,
            _ => match CALLS
                .iter()
                .find(|call| rest.get(at..).is_some_and(|r| r.starts_with(call)))
            {
                Some(call) if operators > 0 => at += call.len(),
                _ => return None,
            },
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(mapped: Option<Mapped>) -> Option<String> {
        mapped.map(|m| String::from_utf8_lossy(&m.text).into_owned())
    }

    #[test]
    fn escapes_are_undone() {
        for (text, expected) in [
            ("%41%4b", Some("AK")),
            (r"\x41\x4B", Some("AK")),
            (r"\u0041\u{4b}\U0000004b", Some("AKK")),
            (r"\101\113", Some("AK")),
            ("&#65;&#x4b;&lowbar;", Some("AK_")),
            ("=41=4B=49=\nA", Some("AKIA")),
            (r"ghp\_x", Some("ghp_x")),
            ("a%zz &unknown; 100% =", None),
            ("key=AKIA", None),
            ("key=41", None),
        ] {
            let found = text_of(unescape(&Mapped::identity(text.as_bytes())));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn markup_is_taken_out() {
        for (text, expected) in [
            ("A**K**I", Some("AKI")),
            ("A<b>K</b><!-- x -->I", Some("AKI")),
            ("a < b", None),
            ("plain", None),
        ] {
            let found = text_of(strip_markup(&Mapped::identity(text.as_bytes())));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn literals_are_joined() {
        for (text, expected) in [
            ("'AK' + 'IA'", Some("'AKIA'")),
            ("\"AK\"\n  \"IA\"", Some("\"AKIA\"")),
            ("[\"AK\",\"IA\"].join(\"\")", Some("[\"AKIA.join(")),
            ("f(\"AK\" + name)", None),
        ] {
            let found = text_of(join_literals(&Mapped::identity(text.as_bytes())));
            match expected {
                Some(expected) => assert!(
                    found.is_some_and(|f| f.contains(expected.trim_end_matches(".join("))),
                    "{text}"
                ),
                None => assert_eq!(found, None, "{text}"),
            }
        }
    }
}
