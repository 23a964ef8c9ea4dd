//! Letters that look like others, letters that are drawn in another way, and characters that are not drawn at all.
//!
//! Non-ASCII characters are folded to ASCII where they can pass for it: compatibility forms (full width, mathematical,
//! circled) by NFKD (UAX #15), and look-alikes of other scripts by a table. The skeleton of UTS #39 is of no use: it folds
//! ASCII too (`1` to `l`). What is not drawn (default-ignorable characters) and combining marks are left out.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::mapped::Mapped;

/// What becomes of a character that is not ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folded {
    /// It is left out.
    Gone,
    /// It passes for this ASCII character.
    To(u8),
    /// It is itself.
    Other,
}

/// What becomes of this character.
pub(super) fn fold_char(c: char) -> Folded {
    let code = u32::from(c);
    // The bulk of other scripts and of pictures: nothing there passes for ASCII.
    if matches!(code, 0x2E80..=0x3163 | 0x3165..=0xA3FF | 0xA640..=0xF8FF | 0x1_F300..=0xD_FFFF)
        && !is_lookalike_block(code)
    {
        return Folded::Other;
    }
    if is_ignorable(code) {
        return Folded::Gone;
    }
    if let Ok(at) = LOOKALIKES.binary_search_by_key(&c, |(known, _)| *known) {
        return LOOKALIKES
            .get(at)
            .map_or(Folded::Other, |(_, to)| Folded::To(*to));
    }
    match code {
        0x1F150..=0x1F169 => return letter(code - 0x1F150),
        0x1F170..=0x1F189 => return letter(code - 0x1F170),
        0x1F1E6..=0x1F1FF => return letter(code - 0x1F1E6),
        _ => {}
    }
    if is_combining_mark(c) {
        return Folded::Gone;
    }
    let mut first = None;
    let mut more = false;
    decompose_compatible(c, |d| {
        if !is_combining_mark(d) {
            more |= first.is_some();
            first.get_or_insert(d);
        }
    });
    match first {
        Some(to) if !more && to.is_ascii_graphic() => Folded::To(to as u8),
        // A letter with a mark of its own, such as a Cyrillic one.
        Some(to) if !more && to != c => match LOOKALIKES.binary_search_by_key(&to, |(known, _)| *known) {
            Ok(at) => LOOKALIKES
                .get(at)
                .map_or(Folded::Other, |(_, to)| Folded::To(*to)),
            Err(_) => Folded::Other,
        },
        _ => Folded::Other,
    }
}

fn letter(number: u32) -> Folded {
    u8::try_from(number).map_or(Folded::Other, |n| Folded::To(b'A' + n % 26))
}

const fn is_lookalike_block(code: u32) -> bool {
    // Lisu, Latin Extended-D, Latin Extended-E, Cherokee supplement.
    matches!(code, 0xA4D0..=0xA4FF | 0xA720..=0xA7FF | 0xAB30..=0xABBF)
}

/// Default_Ignorable_Code_Point (UAX #44), and the object replacement character.
const fn is_ignorable(code: u32) -> bool {
    matches!(
        code,
        // The first are control characters (C1).
        0x80..=0x9F
            | 0xAD
            | 0x34F
            | 0x61C
            | 0x115F..=0x1160
            | 0x17B4..=0x17B5
            | 0x180B..=0x180F
            | 0x200B..=0x200F
            | 0x202A..=0x202E
            | 0x2060..=0x206F
            | 0x3164
            | 0xFE00..=0xFE0F
            | 0xFEFF
            | 0xFFA0
            | 0xFFF0..=0xFFFC
            | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A
            | 0xE0000..=0xE0FFF
    )
}

/// The text folded; `None` when there is nothing to fold.
pub(super) fn fold(text: &Mapped) -> Option<Mapped> {
    if text.text.is_ascii() {
        return None;
    }
    let mut out = Mapped::with_capacity(text.len());
    let mut changed = false;
    let mut at = 0;
    for chunk in text.text.utf8_chunks() {
        for c in chunk.valid().chars() {
            let end = at + c.len_utf8();
            if c.is_ascii() {
                out.copy(text, at..end);
            } else {
                match fold_char(c) {
                    Folded::Gone => changed = true,
                    Folded::To(byte) => {
                        changed = true;
                        out.push(byte, text, at..end);
                    }
                    Folded::Other => out.copy(text, at..end),
                }
            }
            at = end;
        }
        let end = at + chunk.invalid().len();
        out.copy(text, at..end);
        at = end;
    }
    changed.then_some(out)
}

/// Whether a text may be spelled in tag characters (U+E0020 to U+E007E, each for an ASCII one), or in variation selectors
/// (U+E0100 and on, each for a byte from 16).
pub(super) fn has_tags(text: &Mapped) -> bool {
    memchr::memmem::find(&text.text, b"\xF3\xA0").is_some()
}

/// What tag characters or variation selectors spell; `None` when there are none.
pub(super) fn spelled_in_tags(text: &Mapped) -> Option<Mapped> {
    let mut out = Mapped::default();
    let mut at = 0;
    for chunk in text.text.utf8_chunks() {
        for c in chunk.valid().chars() {
            let end = at + c.len_utf8();
            let byte = match u32::from(c) {
                code @ 0xE0020..=0xE007E => code - 0xE0000,
                code @ 0xE0100..=0xE01EF => code - 0xE0100 + 16,
                _ => 0,
            };
            if let Ok(byte @ 0x20..=0x7E) = u8::try_from(byte) {
                out.push(byte, text, at..end);
            }
            at = end;
        }
        at += chunk.invalid().len();
    }
    (out.len() > 0).then_some(out)
}

/// Characters of other scripts that pass for ASCII, in the order of their code points. From the shapes, after the
/// characters that confusables.txt (UTS #39) names for each letter.
static LOOKALIKES: &[(char, u8)] = &[
    ('ı', b'i'),
    ('ſ', b's'),
    ('ƅ', b'b'),
    ('ƍ', b'g'),
    ('Ɩ', b'l'),
    ('ƙ', b'k'),
    ('ƨ', b's'),
    ('ƿ', b'p'),
    ('ȷ', b'j'),
    ('ɑ', b'a'),
    ('ɛ', b'e'),
    ('ɡ', b'g'),
    ('ɩ', b'i'),
    ('ɪ', b'I'),
    ('ɯ', b'w'),
    ('ɴ', b'N'),
    ('ʀ', b'R'),
    ('ʋ', b'v'),
    ('ʏ', b'Y'),
    ('ʙ', b'B'),
    ('ʜ', b'H'),
    ('ʟ', b'L'),
    ('Ϳ', b'J'),
    ('Α', b'A'),
    ('Β', b'B'),
    ('Ε', b'E'),
    ('Ζ', b'Z'),
    ('Η', b'H'),
    ('Ι', b'I'),
    ('Κ', b'K'),
    ('Μ', b'M'),
    ('Ν', b'N'),
    ('Ο', b'O'),
    ('Ρ', b'P'),
    ('Τ', b'T'),
    ('Υ', b'Y'),
    ('Χ', b'X'),
    ('α', b'a'),
    ('γ', b'y'),
    ('ε', b'e'),
    ('η', b'n'),
    ('ι', b'i'),
    ('κ', b'k'),
    ('ν', b'v'),
    ('ο', b'o'),
    ('ρ', b'p'),
    ('σ', b'o'),
    ('τ', b't'),
    ('υ', b'u'),
    ('χ', b'x'),
    ('ω', b'w'),
    ('ϲ', b'c'),
    ('ϳ', b'j'),
    ('Ϲ', b'C'),
    ('Ѕ', b'S'),
    ('І', b'I'),
    ('Ј', b'J'),
    ('А', b'A'),
    ('В', b'B'),
    ('Е', b'E'),
    ('З', b'3'),
    ('К', b'K'),
    ('М', b'M'),
    ('Н', b'H'),
    ('О', b'O'),
    ('Р', b'P'),
    ('С', b'C'),
    ('Т', b'T'),
    ('У', b'Y'),
    ('Х', b'X'),
    ('Ь', b'b'),
    ('а', b'a'),
    ('б', b'6'),
    ('в', b'B'),
    ('г', b'r'),
    ('е', b'e'),
    ('к', b'k'),
    ('м', b'M'),
    ('н', b'H'),
    ('о', b'o'),
    ('п', b'n'),
    ('р', b'p'),
    ('с', b'c'),
    ('т', b't'),
    ('у', b'y'),
    ('х', b'x'),
    ('ь', b'b'),
    ('ѕ', b's'),
    ('і', b'i'),
    ('ј', b'j'),
    ('ѡ', b'w'),
    ('Ѵ', b'V'),
    ('ѵ', b'v'),
    ('Ү', b'Y'),
    ('ү', b'y'),
    ('һ', b'h'),
    ('ҽ', b'e'),
    ('Ӏ', b'I'),
    ('ӏ', b'l'),
    ('Ԁ', b'd'),
    ('ԁ', b'd'),
    ('Ԍ', b'G'),
    ('Ԛ', b'Q'),
    ('ԛ', b'q'),
    ('Ԝ', b'W'),
    ('ԝ', b'w'),
    ('Լ', b'L'),
    ('Ս', b'U'),
    ('Տ', b'S'),
    ('Օ', b'O'),
    ('ա', b'w'),
    ('գ', b'q'),
    ('զ', b'q'),
    ('հ', b'h'),
    ('ո', b'n'),
    ('ռ', b'n'),
    ('ս', b'u'),
    ('ց', b'g'),
    ('ւ', b'i'),
    ('ք', b'f'),
    ('օ', b'o'),
    ('Ꭰ', b'D'),
    ('Ꭱ', b'R'),
    ('Ꭲ', b'T'),
    ('Ꭵ', b'i'),
    ('Ꭹ', b'y'),
    ('Ꭺ', b'A'),
    ('Ꭻ', b'J'),
    ('Ꭼ', b'E'),
    ('Ꮃ', b'W'),
    ('Ꮇ', b'M'),
    ('Ꮋ', b'H'),
    ('Ꮍ', b'Y'),
    ('Ꮐ', b'G'),
    ('Ꮒ', b'h'),
    ('Ꮓ', b'Z'),
    ('Ꮞ', b'4'),
    ('Ꮟ', b'b'),
    ('Ꮢ', b'R'),
    ('Ꮤ', b'W'),
    ('Ꮥ', b'S'),
    ('Ꮩ', b'V'),
    ('Ꮪ', b'S'),
    ('Ꮮ', b'L'),
    ('Ꮯ', b'C'),
    ('Ꮲ', b'P'),
    ('Ꮶ', b'K'),
    ('Ꮷ', b'd'),
    ('Ꮾ', b'6'),
    ('ᴀ', b'A'),
    ('ᴄ', b'C'),
    ('ᴅ', b'D'),
    ('ᴇ', b'E'),
    ('ᴊ', b'J'),
    ('ᴋ', b'K'),
    ('ᴍ', b'M'),
    ('ᴏ', b'O'),
    ('ᴘ', b'P'),
    ('ᴛ', b'T'),
    ('ᴜ', b'U'),
    ('ᴠ', b'V'),
    ('ᴡ', b'W'),
    ('ᴢ', b'Z'),
    ('‐', b'-'),
    ('‑', b'-'),
    ('‒', b'-'),
    ('–', b'-'),
    ('—', b'-'),
    ('⁄', b'/'),
    ('ⅼ', b'l'),
    ('−', b'-'),
    ('∕', b'/'),
    ('∣', b'|'),
    ('Ⲁ', b'A'),
    ('Ⲃ', b'B'),
    ('Ⲕ', b'K'),
    ('Ⲛ', b'N'),
    ('Ⲟ', b'O'),
    ('ⲟ', b'o'),
    ('Ⲣ', b'P'),
    ('ⲣ', b'p'),
    ('Ⲥ', b'C'),
    ('ⲥ', b'c'),
    ('Ⲧ', b'T'),
    ('ⴹ', b'E'),
    ('ⵏ', b'l'),
    ('ⵔ', b'O'),
    ('ⵝ', b'X'),
    ('ꓐ', b'B'),
    ('ꓑ', b'P'),
    ('ꓒ', b'd'),
    ('ꓓ', b'D'),
    ('ꓔ', b'T'),
    ('ꓖ', b'G'),
    ('ꓗ', b'K'),
    ('ꓙ', b'J'),
    ('ꓚ', b'C'),
    ('ꓜ', b'Z'),
    ('ꓝ', b'F'),
    ('ꓟ', b'M'),
    ('ꓠ', b'N'),
    ('ꓡ', b'L'),
    ('ꓢ', b'S'),
    ('ꓣ', b'R'),
    ('ꓦ', b'V'),
    ('ꓧ', b'H'),
    ('ꓪ', b'W'),
    ('ꓫ', b'X'),
    ('ꓬ', b'Y'),
    ('ꓮ', b'A'),
    ('ꓰ', b'E'),
    ('ꓲ', b'I'),
    ('ꓳ', b'O'),
    ('ꓴ', b'U'),
    ('ꙅ', b's'),
    ('ꜱ', b'S'),
    ('ꝛ', b'r'),
    ('Ꝺ', b'D'),
    ('ꞟ', b'u'),
    ('ꬲ', b'e'),
    ('ꭎ', b'u'),
    ('ꭵ', b'i'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(
            LOOKALIKES.windows(2).all(|w| w[0].0 < w[1].0),
            "binary search needs it"
        );
    }

    #[test]
    fn what_passes_for_ascii() {
        for (text, expected) in [
            ("ＡＫＩＡ", "AKIA"),
            ("𝐀𝒦𝕀𝙰", "AKIA"),
            ("ⒶⓀⒾⒶ", "AKIA"),
            ("🅐🅺🄸🇦", "AKIA"),
            ("АКІА", "AKIA"),
            ("ΑΚΙΑ", "AKIA"),
            ("A\u{200B}K\u{AD}I\u{FE0F}A", "AKIA"),
            ("A\u{E0041}K\u{2060}I\u{202E}A", "AKIA"),
            ("A\u{301}K\u{336}ÍÀ", "AKIA"),
            ("gһр＿", "ghp_"),
        ] {
            let folded = fold(&Mapped::identity(text.as_bytes())).unwrap();
            assert_eq!(String::from_utf8_lossy(&folded.text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_itself() {
        for text in ["日本語", "👩", "हिन्दी".trim_matches('\u{93f}'), "ไทย", "ascii"]
        {
            let folded = fold(&Mapped::identity(text.as_bytes()));
            let text_of = |m: Mapped| String::from_utf8_lossy(&m.text).into_owned();
            assert!(folded.map(text_of).is_none_or(|t| !t.is_ascii()), "{text}");
        }
    }

    #[test]
    fn ranges_go_back_to_the_original() {
        let raw = "x А\u{200B}Б y".as_bytes();
        let folded = fold(&Mapped::identity(raw)).unwrap();
        let at = folded.text.iter().position(|b| *b == b'A').unwrap();
        assert_eq!(folded.raw(at..at + 1), 2..4);
        assert!(!folded.is_plain(at..at + 1, raw) && folded.is_plain(0..2, raw));
    }
}
