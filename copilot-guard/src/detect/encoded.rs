//! The forms in which a known value comes back: as it is, and in the encodings that a model or a log may put it into.

use std::fmt::Write as _;

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Longest piece that is looked for in one; what is longer is looked for piece by piece.
const PIECE: usize = 1024;
/// Shorter forms would mask pieces of ordinary text.
const SHORTEST: usize = 8;

/// The value, and its forms in hexadecimal, percent-encoding and base64 (both alphabets, at each of the three places that
/// it may have within a longer text). Long ones come in pieces, which cover them whole.
pub fn known_forms(value: &Secret) -> Vec<Secret> {
    let plain = value.expose();
    let mut forms: Vec<Zeroizing<String>> = vec![
        Zeroizing::new(plain.to_owned()),
        hex(plain, false),
        hex(plain, true),
        percent(plain, false),
        percent(plain, true),
    ];
    for before in 0..3 {
        for (number, engine) in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD].into_iter().enumerate() {
            let form = within_base64(plain.as_bytes(), before, engine);
            // Where both alphabets write the same, one is enough.
            if number == 0 || !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms.sort_unstable_by(|a, b| a.as_str().cmp(b));
    forms.dedup();
    let long_enough = |form: &Zeroizing<String>| form.as_str() == plain || form.len() >= SHORTEST;
    forms
        .iter()
        .filter(|form| long_enough(form))
        .flat_map(|form| pieces(form))
        .collect()
}

/// What stands in base64 for these bytes alone, when `before` bytes (modulo three) stand in front of them.
fn within_base64(bytes: &[u8], before: usize, engine: &impl base64::Engine) -> Zeroizing<String> {
    let mut padded = Zeroizing::new(vec![0; before]);
    padded.extend_from_slice(bytes);
    let encoded = Zeroizing::new(engine.encode(padded.as_slice()));
    // Letters that hold bits of what stands before or behind are left out.
    let start = (before * 8).div_ceil(6);
    let end = (before + bytes.len()) * 8 / 6;
    Zeroizing::new(encoded.get(start..end).unwrap_or_default().to_owned())
}

fn hex(text: &str, upper: bool) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = if upper {
            write!(out, "{byte:02X}")
        } else {
            write!(out, "{byte:02x}")
        };
    }
    out
}

fn percent(text: &str, upper: bool) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    for byte in text.bytes() {
        // RFC 3986, section 2.3.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = if upper {
                write!(out, "%{byte:02X}")
            } else {
                write!(out, "%{byte:02x}")
            };
        }
    }
    out
}

/// Pieces of at most [`PIECE`] bytes that overlap so that none is short.
fn pieces(form: &str) -> Vec<Secret> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while form.len() - start > PIECE {
        let mut end = start + PIECE;
        while !form.is_char_boundary(end) {
            end -= 1;
        }
        pieces.push(Secret::new(form.get(start..end).unwrap_or_default()));
        start = end;
    }
    // The last one reaches back.
    let mut start = if pieces.is_empty() { 0 } else { form.len() - PIECE };
    while !form.is_char_boundary(start) {
        start += 1;
    }
    pieces.push(Secret::new(form.get(start..).unwrap_or_default()));
    pieces
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::detect::RuleSet;

    fn masked(secret: &Secret, text: &str) -> String {
        let set = RuleSet::builder()
            .exact_values("upstream-credential", &known_forms(secret))
            .build()
            .unwrap();
        let mut out = Vec::new();
        let mut redactor = set.redactor(&set.all());
        redactor.push(text.as_bytes(), &mut set.marked(&mut out));
        redactor.finish(&mut set.marked(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        let values = [
            "tid=abc;exp=1800000000;sku=x:5f2c+aa/bb==".to_owned(),
            "plainletters0123456789".to_owned(),
            "ünïcode-válue-0123".to_owned(),
            format!("eyJ{}", "aB3_-x".repeat(400)),
        ];
        for value in values {
            let secret = Secret::new(value.as_str());
            for before in ["", "a", "ab", "abc"] {
                for after in ["", "x", "xy"] {
                    let whole = format!("{before}{value}{after}");
                    for text in [
                        whole.clone(),
                        STANDARD_NO_PAD.encode(&whole),
                        URL_SAFE_NO_PAD.encode(&whole),
                        hex(&whole, false).to_string(),
                        hex(&whole, true).to_string(),
                        percent(&whole, true).to_string(),
                        percent(&whole, false).to_string(),
                    ] {
                        let shown = masked(&secret, &text);
                        assert!(shown.contains("[REDACTED:upstream-credential]"), "{text}");
                        // What is left are the letters at its ends that hold a part of a byte.
                        let rest = shown.replace("[REDACTED:upstream-credential]", "");
                        assert!(rest.len() <= 24, "{rest} is left of {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn ordinary_text_stays() {
        let secret = Secret::new("plainletters0123456789");
        let text = "plain letters 0123456789, cGxhaW4=, 706c61696e";
        assert_eq!(masked(&secret, text), text);
    }
}
