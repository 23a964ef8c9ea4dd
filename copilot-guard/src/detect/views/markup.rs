//! Markup that stands within words, taken out: tags, comments, emphasis, links.

use super::mapped::Mapped;

/// Longest tag or comment that is taken out.
const LONGEST_TAG: usize = 512;

/// The text without tags, comments and emphasis; `None` when it has none.
pub(super) fn strip_markup(text: &Mapped) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    let is_mark = |b: &u8| matches!(b, b'<' | b'*' | b'`' | b'~' | b'_' | b'[' | b']');
    bytes.iter().position(is_mark)?;
    let mut out = Mapped::with_capacity(text.len());
    let (mut at, mut done) = (0, 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(is_mark)) {
        let start = at + found;
        let rest = bytes.get(start..).unwrap_or_default();
        let length = match rest {
            [b'<', b'!', b'-', b'-', ..] => memchr::memmem::find(within(rest), b"-->").map(|n| n + 3),
            [b'<', c, ..] if c.is_ascii_alphabetic() || *c == b'/' => tag(within(rest)),
            [b'<', ..] => None,
            [b'_', b'_', ..] | [b'~', b'~', ..] => Some(2),
            [b'~' | b'_', ..] => None,
            // `[text](address)`: the text is what is read.
            [b'[', ..] => memchr::memmem::find(line(rest), b"](").map(|_| 1),
            [b']', b'(', ..] => memchr::memchr(b')', line(rest)).map(|n| n + 1),
            [b']', ..] => None,
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

/// The length of a tag. A `>` within the value of an attribute does not end it.
fn tag(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (n, byte) in rest.iter().enumerate() {
        match (byte, quote) {
            (b'>', None) => return Some(n + 1),
            (b'"' | b'\'', None) if rest.get(n.saturating_sub(1)) == Some(&b'=') => quote = Some(*byte),
            (byte, Some(open)) if *byte == open => quote = None,
            _ => {}
        }
    }
    // A quote that is never closed is none.
    memchr::memchr(b'>', rest).map(|n| n + 1)
}

/// What is left of the line, as far as a link reaches.
fn line(rest: &[u8]) -> &[u8] {
    let rest = rest.get(..128).unwrap_or(rest);
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

fn within(rest: &[u8]) -> &[u8] {
    rest.get(..LONGEST_TAG).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(mapped: Option<Mapped>) -> Option<String> {
        mapped.map(|m| String::from_utf8_lossy(&m.text).into_owned())
    }

    #[test]
    fn markup_is_taken_out() {
        for (text, expected) in [
            ("A**K**I", Some("AKI")),
            ("A<b>K</b><!-- x -->I", Some("AKI")),
            ("__AK____IA__", Some("AKIA")),
            ("[AK](#a)[IA](#b)", Some("AKIA")),
            ("A<i title=\"a>b\"></i>K", Some("AK")),
            ("a[0] = [1, 2]; a_b", None),
            ("a < b", None),
            ("plain", None),
        ] {
            let found = text_of(strip_markup(&Mapped::identity(text.as_bytes())));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
