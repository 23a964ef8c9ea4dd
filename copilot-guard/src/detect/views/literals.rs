//! String literals that a program joins, joined.

use super::mapped::Mapped;

/// The text with string literals joined that a program would join; `None` when there are none.
/// `'a' + 'b'`, `"a" "b"`, `"a", "b"`, `"a" . "b"`, `"a" .. "b"`, `"a" & "b"`, `"a" || "b"`, `${'a'}${'b'}`, and over lines.
pub(super) fn join(text: &Mapped) -> Option<Mapped> {
    join_by(text, |rest| joint(rest, false))
}

/// The same, also over what is assigned one after the other: `a = 'x'`, `b = 'y'`, and `a += 'y'`.
pub(super) fn join_assigned(text: &Mapped) -> Option<Mapped> {
    join_by(text, |rest| joint(rest, true))
}

/// The text without what stands for arguments in a format: `%s`, `{}`; `None` when there is none.
pub(super) fn without_arguments(text: &Mapped) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    let mut out = Mapped::with_capacity(text.len());
    let (mut at, mut done) = (0, 0);
    while let Some(pair) = bytes.get(at..at + 2) {
        if matches!(pair, b"%s" | b"%v" | b"{}") {
            out.copy(text, done..at);
            at += 2;
            done = at;
        } else {
            at += 1;
        }
    }
    out.copy(text, done..bytes.len());
    (done > 0).then_some(out)
}

fn join_by(text: &Mapped, joint: impl Fn(&[u8]) -> Option<usize>) -> Option<Mapped> {
    let bytes = text.text.as_slice();
    memchr::memchr3(b'"', b'\'', b'`', bytes)?;
    let mut out = Mapped::with_capacity(text.len());
    let (mut at, mut done) = (0, 0);
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| memchr::memchr3(b'"', b'\'', b'`', rest))
    {
        let start = at + found;
        match bytes.get(start + 1..).and_then(&joint) {
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
fn joint(rest: &[u8], assigned: bool) -> Option<usize> {
    let rest = rest.get(..64).unwrap_or(rest);
    let mut at = 0;
    let mut operators = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' | b'\'' | b'`' => return Some(at + 1),
            b' ' | b'\t' | b'\n' | b'\r' | b'\\' | b'(' | b')' | b'[' | b']' | b'$' | b'{' | b'}' => at += 1,
            _ if assigned && is_behind_statement(rest, at) => at = assignment(rest, at)?,
            b'-' | b'+' | b'.' | b',' | b'&' | b'|' | b'<' | b'~' | b';' if operators < 2 => {
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

/// Whether a statement may begin here: behind a line's end or a semicolon.
fn is_behind_statement(rest: &[u8], at: usize) -> bool {
    let mut before = rest.get(..at).unwrap_or_default().iter().rev();
    before
        .find(|b| !matches!(b, b' ' | b'\t' | b'$'))
        .is_some_and(|b| matches!(b, b'\n' | b';'))
        && rest
            .get(at)
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
}

/// Where the value begins of an assignment that begins here: `name = `, `let name = `, `name .= `.
fn assignment(rest: &[u8], at: usize) -> Option<usize> {
    let here = rest.get(at..)?;
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b' ');
    let name = here.iter().take_while(|b| is_name(b)).count();
    let length = match here.get(name..)? {
        [b'+', b'=', ..] => 2,
        [b'=', b'=', ..] => return None,
        [b'=', ..] => 1,
        _ => return None,
    };
    Some(at + name + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(mapped: Option<Mapped>) -> Option<String> {
        mapped.map(|m| String::from_utf8_lossy(&m.text).into_owned())
    }

    #[test]
    fn literals_are_joined() {
        for (text, expected) in [
            ("'AK' + 'IA'", Some("'AKIA'")),
            ("\"AK\"\n  \"IA\"", Some("\"AKIA\"")),
            ("[\"AK\",\"IA\"].join(\"\")", Some("[\"AKIA.join(")),
            ("`${'AK'}${'IA'}`", Some("AKIA")),
            ("- \"AK\"\n- \"IA\"", Some("AKIA")),
            ("a = 'AK'\nb = 'IA'", None),
            ("f(\"AK\" + name)", None),
        ] {
            let found = text_of(join(&Mapped::identity(text.as_bytes())));
            match expected {
                Some(expected) => assert!(
                    found.is_some_and(|f| f.contains(expected.trim_end_matches(".join("))),
                    "{text}"
                ),
                None => assert_eq!(found, None, "{text}"),
            }
        }
    }

    #[test]
    fn what_is_assigned_is_joined() {
        for (text, expected) in [
            ("a = 'AK'\nb = 'IA'", true),
            ("a='AK'; b='IA'", true),
            ("let k = 'AK';\nk += 'IA';", true),
            ("a = 'AK'\nif b == 'IA'", false),
            ("{'a': 'AK', 'b': 'IA'}", false),
        ] {
            let found = text_of(join_assigned(&Mapped::identity(text.as_bytes())));
            assert_eq!(
                found.is_some_and(|found| found.contains("AKIA")),
                expected,
                "{text}"
            );
        }
    }
}
