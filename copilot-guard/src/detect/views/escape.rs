//! Escapes of programming languages, addresses, HTML, terminals and mail, undone.

use super::mapped::Mapped;

/// The text without escapes; `None` when it has none. `%41`, `\x41`, `\x{41}`, `\u0041`, `\u{41}`, `\U00000041`, `\101`,
/// `\000041` (CSS), `\N{DIGIT ONE}`, `&#65;`, `&#x41;`, some named entities, `=41` and soft line breaks of quoted-printable,
/// a backslash before punctuation, and colours and control characters of terminals.
pub(super) fn unescape(text: &Mapped) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    next_introducer(bytes)?;
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
        .position(|b| matches!(b, b'%' | b'\\' | b'&' | b'=' | b'`') || is_unseen(*b))
}

/// A control character that draws nothing, and a carriage return.
const fn is_unseen(byte: u8) -> bool {
    matches!(byte, 0..=0x08 | 0x0D..=0x1F | 0x7F)
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
        [b'\r', ..] => None,
        // A control sequence (ECMA-48): parameters, and the letter that ends it.
        [0x1B, b'[', more @ ..] => {
            let end = more.iter().take(16).position(u8::is_ascii_alphabetic)?;
            Some((None, end + 3))
        }
        [unseen, ..] if is_unseen(*unseen) => Some((None, 1)),
        [b'=', a, b, ..] if printable => {
            let byte = hex2(*a, *b).filter(|_| !a.is_ascii_lowercase() && !b.is_ascii_lowercase())?;
            byte.is_ascii_graphic().then_some((Some(char::from(byte)), 3))
        }
        // PowerShell has a backtick.
        [b'\\' | b'`', b'u' | b'x', b'{', more @ ..] => {
            let end = more.iter().take(8).position(|b| *b == b'}')?;
            Some((Some(code(more.get(..end)?, 16)?), 4 + end))
        }
        [b'`', ..] => None,
        [b'\\', b'N', b'{', more @ ..] => {
            let end = more.iter().take(32).position(|b| *b == b'}')?;
            Some((Some(named(more.get(..end)?)?), 4 + end))
        }
        [b'\\', b'x' | b'X', a, b, ..] => Some((Some(ascii(hex2(*a, *b)?)?), 4)),
        // Java takes any number of them.
        [b'\\', b'u', more @ ..] => {
            let repeats = more.iter().take(8).take_while(|b| **b == b'u').count();
            let digits = more.get(repeats..repeats + 4)?;
            Some((Some(code(digits, 16)?), 6 + repeats))
        }
        [b'\\', b'U', more @ ..] => Some((Some(code(more.get(..8)?, 16)?), 10)),
        [b'\\', b'0', b'0', b'0', b'0', a, b, ..] => Some((Some(ascii(hex2(*a, *b)?)?), 7)),
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
            // Letters drawn in another way.
            if let [letter, b'o', b'p', b'f'] | [letter, b's', b'c', b'r'] | [letter, b'f', b'r'] = name
                && letter.is_ascii_alphabetic()
            {
                return Some((Some(char::from(*letter)), end + 2));
            }
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

/// The Unicode names of letters, digits and some signs.
fn named(name: &[u8]) -> Option<char> {
    const DIGITS: [&[u8]; 10] = [
        b"ZERO", b"ONE", b"TWO", b"THREE", b"FOUR", b"FIVE", b"SIX", b"SEVEN", b"EIGHT", b"NINE",
    ];
    if let Some([letter @ b'A'..=b'Z']) = name.strip_prefix(b"LATIN CAPITAL LETTER ") {
        return Some(char::from(*letter));
    }
    if let Some([letter @ b'A'..=b'Z']) = name.strip_prefix(b"LATIN SMALL LETTER ") {
        return Some(char::from(letter.to_ascii_lowercase()));
    }
    if let Some(digit) = name.strip_prefix(b"DIGIT ") {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        return char::from_digit(u32::try_from(value).ok()?, 10);
    }
    match name {
        b"LOW LINE" => Some('_'),
        b"HYPHEN-MINUS" => Some('-'),
        b"FULL STOP" => Some('.'),
        b"SOLIDUS" => Some('/'),
        b"COLON" => Some(':'),
        b"COMMERCIAL AT" => Some('@'),
        _ => None,
    }
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
            (r"\x{41}`u{4b}\uuu0049\000041", Some("AKIA")),
            (
                r"\N{LATIN CAPITAL LETTER A}\N{LATIN SMALL LETTER K}\N{DIGIT TWO}",
                Some("Ak2"),
            ),
            ("&Aopf;&kscr;&Ifr;", Some("AkI")),
            ("A\u{1b}[1;32mK\u{1b}[0m\u{1}I", Some("AKI")),
            (r"ghp\_x", Some("ghp_x")),
            ("a%zz &unknown; 100% =", None),
            ("key=AKIA", None),
            ("key=41", None),
        ] {
            let found = text_of(unescape(&Mapped::identity(text.as_bytes())));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
