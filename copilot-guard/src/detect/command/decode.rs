//! What encoded scripts say.

use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// No decoded text grows beyond this.
const MAX_DECODED: u64 = 256 * 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Base64 of either alphabet, with or without padding, with blanks in it.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let alphabet = if packed.contains(['-', '_']) {
        &alphabet::URL_SAFE
    } else {
        &alphabet::STANDARD
    };
    GeneralPurpose::new(alphabet, LENIENT)
        .decode(packed.trim_end_matches('='))
        .ok()
}

/// UTF-16, little end first.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| {
            u16::from_le_bytes([
                pair.first().copied().unwrap_or(0),
                pair.get(1).copied().unwrap_or(0),
            ])
        })
        .collect();
    String::from_utf16_lossy(&units)
}

/// Text of either kind: UTF-16 has a zero in every other place where text is English.
pub(super) fn text(bytes: &[u8]) -> String {
    let zeros = bytes.iter().skip(1).step_by(2).filter(|b| **b == 0).count();
    if bytes.len() >= 4 && zeros * 4 >= bytes.len() {
        utf16(bytes)
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Hexadecimal digits, with blanks, commas, `0x` and `\x` between them.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let packed = text.replace("\\x", "").replace("0x", "");
    let digits: Vec<u8> = packed
        .bytes()
        .filter(|b| !b.is_ascii_whitespace() && *b != b',')
        .map(|b| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    (!digits.is_empty() && digits.len().is_multiple_of(2)).then(|| {
        digits
            .chunks_exact(2)
            .map(|d| d.iter().fold(0_u8, |n, d| (n << 4) | d))
            .collect()
    })
}

/// What zlib, gzip or bare deflate unpack to, up to a bound.
pub(super) fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let is_read = match bytes {
        [0x1f, 0x8b, ..] => flate2::read::GzDecoder::new(bytes)
            .take(MAX_DECODED)
            .read_to_end(&mut out),
        [0x78, ..] => flate2::read::ZlibDecoder::new(bytes)
            .take(MAX_DECODED)
            .read_to_end(&mut out),
        _ => flate2::read::DeflateDecoder::new(bytes)
            .take(MAX_DECODED)
            .read_to_end(&mut out),
    };
    (is_read.is_ok() && !out.is_empty()).then_some(out)
}
