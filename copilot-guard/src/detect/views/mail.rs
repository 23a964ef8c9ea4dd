//! What was made for mail of plain signs: ascii85, and the lines of uuencode.

use super::mapped::Mapped;
use super::numbers::Stretch;

/// Most blocks of ascii85 that are looked at: what is no block may begin like one.
const MOST_BLOCKS: usize = 16;

/// Adobe's ascii85, which says where it begins and ends: `<~…~>`.
pub(super) fn ascii85(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let starts: Vec<usize> = memchr::memmem::find_iter(bytes, b"<~")
        .take(MOST_BLOCKS)
        .collect();
    starts.into_iter().for_each(|start| block(text, start, found));
}

fn block(text: &Mapped, start: usize, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
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

/// Lines of uuencode (POSIX): each begins with its length. Blanks must be written as backticks, as programs do today.
pub(super) fn uuencoded(text: &Mapped, found: &mut dyn FnMut(Mapped)) {
    let bytes = text.text.as_slice();
    let mut out = Stretch::default();
    let mut at = 0;
    for line in bytes.split(|b| *b == b'\n') {
        let start = at;
        at += line.len() + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some((first, digits)) = line.split_first().filter(|_| is_uu_line(line)) else {
            out.flush(text, found);
            continue;
        };
        let length = usize::from((first - b' ') & 63);
        for (n, group) in digits.chunks_exact(4).enumerate() {
            let value = group
                .iter()
                .fold(0_u32, |v, d| v << 6 | u32::from((d - b' ') & 63));
            let source = start + 1 + 4 * n..start + 5 + 4 * n;
            let kept = length.saturating_sub(3 * n);
            for byte in value.to_be_bytes().into_iter().skip(1).take(kept) {
                out.push(byte, source.clone(), text, found);
            }
        }
    }
    out.flush(text, found);
}

/// Whether a line is as long as its first sign says.
pub(super) fn is_uu_line(line: &[u8]) -> bool {
    match line.split_first() {
        Some((first @ b'!'..=b'_', digits)) => {
            digits.len() == uu_length(*first) && digits.iter().all(|d| (b'!'..=b'`').contains(d))
        }
        _ => false,
    }
}

/// How many signs follow one that tells the length of a line.
pub(super) const fn uu_length(first: u8) -> usize {
    ((first.wrapping_sub(b' ') & 63) as usize).div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_uuencode() {
        let encoded = "begin 644 a\n8<V5C<F5T/6-O<G)E8W0M:&]R<V4M8F%T\n`\nend\n";
        let mut texts = Vec::new();
        uuencoded(&Mapped::identity(encoded.as_bytes()), &mut |m| texts.push(m.text));
        assert_eq!(texts, [b"secret=correct-horse-bat".to_vec()]);
    }
}
