//! Check digits: which part of a value follows from the rest of it.

use serde::Deserialize;

/// How a value's check digits are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Checksum {
    /// GitHub's tokens: four bytes of prefix, 30 random ones, and their CRC-32 as six digits of base 62.
    Github,
    /// npm's tokens have the form of GitHub's.
    Npm,
    /// Payment cards.
    Luhn,
    /// Bank accounts: ISO 13616, which is mod 97.
    Iban,
    /// Article numbers, and the Swiss social security number.
    Ean13,
    /// Spanish identity numbers: the letter is the number mod 23.
    Dni,
    /// French social security numbers: 97 less the number mod 97.
    Nir,
    /// German tax identification numbers: ISO 7064, mod 11,10.
    SteuerId,
    /// Italian tax codes: the last letter, mod 26.
    CodiceFiscale,
    /// Brazilian taxpayer numbers: two digits, mod 11.
    Cpf,
    /// Dutch citizen service numbers: mod 11.
    Bsn,
}

impl Checksum {
    /// Whether a right one is proof enough. Samples in documents are random and have a wrong one, so that a wrong one
    /// does not refuse a value of such a form; the other checks decide.
    pub(super) const fn is_proof(self) -> bool {
        matches!(self, Self::Github | Self::Npm)
    }

    pub(super) fn is_right(self, text: &[u8]) -> bool {
        match self {
            Self::Github | Self::Npm => github(text),
            Self::Luhn => luhn(text),
            Self::Iban => iban(text),
            Self::Ean13 => ean13(text),
            Self::Dni => dni(text).unwrap_or(false),
            Self::Nir => nir(text),
            Self::SteuerId => steuer_id(text),
            Self::CodiceFiscale => codice_fiscale(text),
            Self::Cpf => cpf(text),
            Self::Bsn => bsn(text),
        }
    }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn github(text: &[u8]) -> bool {
    let (Some(random), Some(given)) = (text.get(4..34), text.get(34..40)) else {
        return false;
    };
    let mut rest = crc32(random);
    given.iter().rev().all(|digit| {
        let right = BASE62.get((rest % 62) as usize) == Some(digit);
        rest /= 62;
        right
    }) && rest == 0
}

/// CRC-32 as in zip and PNG. Bit by bit: it is asked for about 30 bytes, and seldom.
fn crc32(text: &[u8]) -> u32 {
    !text.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

/// The digits of a text, without what groups them.
fn digits(text: &[u8]) -> Vec<u32> {
    text.iter()
        .filter(|b| b.is_ascii_digit())
        .map(|b| u32::from(b - b'0'))
        .collect()
}

/// Every second digit from the right counts double.
pub(super) fn luhn(text: &[u8]) -> bool {
    let sum: u32 = digits(text)
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match (i % 2, d * 2) {
            (0, _) => *d,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum > 0 && sum.is_multiple_of(10)
}

fn iban(text: &[u8]) -> bool {
    let plain: Vec<u8> = text.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let Some((head, account)) = plain.split_at_checked(4) else {
        return false;
    };
    // Letters count as two digits, `A` as 10.
    let rest = account.iter().chain(head).fold(0u32, |rest, b| {
        let value = char::from(*b).to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    rest == 1
}

fn ean13(text: &[u8]) -> bool {
    let sum: u32 = digits(text)
        .iter()
        .enumerate()
        .map(|(i, d)| if i % 2 == 0 { *d } else { d * 3 })
        .sum();
    sum > 0 && sum.is_multiple_of(10)
}

fn dni(text: &[u8]) -> Option<bool> {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let (letter, number) = text.split_last()?;
    let (first, _) = number.split_first()?;
    // The letter in front of a foreigner's number stands for a digit.
    let lead = match first {
        b'Y' => 1,
        b'Z' => 2,
        _ => 0,
    };
    let rest = digits(number).iter().fold(lead, |rest, d| (rest * 10 + d) % 23);
    Some(LETTERS.get(rest as usize)? == letter)
}

fn nir(text: &[u8]) -> bool {
    // Corsica's departments are 2A and 2B, and count as 19 and 18.
    let mut plain = Vec::with_capacity(text.len());
    for b in text.iter().filter(|b| b.is_ascii_alphanumeric()) {
        match b {
            b'A' | b'B' => {
                plain.pop();
                plain.extend([1, if *b == b'A' { 9 } else { 8 }]);
            }
            digit => plain.push(u64::from(digit.wrapping_sub(b'0'))),
        }
    }
    let (Some(number), Some(&[tens, ones])) = (plain.get(..13), plain.get(13..)) else {
        return false;
    };
    97 - number.iter().fold(0, |n, d| (n * 10 + d) % 97) == tens * 10 + ones
}

fn steuer_id(text: &[u8]) -> bool {
    let digits = digits(text);
    let Some((check, number)) = digits.split_last() else {
        return false;
    };
    let product = number.iter().fold(10, |product, d| {
        let sum = match (d + product) % 10 {
            0 => 10,
            sum => sum,
        };
        sum * 2 % 11
    });
    (11 - product) % 10 == *check
}

fn codice_fiscale(text: &[u8]) -> bool {
    /// What a character counts at the odd places; the digits count as the first ten letters.
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    let Some((check, code)) = text.split_last() else {
        return false;
    };
    let sum: u32 = code
        .iter()
        .enumerate()
        .map(|(i, b)| {
            let value = match b {
                b'0'..=b'9' => b - b'0',
                _ => b.to_ascii_uppercase().wrapping_sub(b'A'),
            };
            if i % 2 == 1 {
                u32::from(value)
            } else {
                ODD.get(usize::from(value)).copied().unwrap_or(0)
            }
        })
        .sum();
    u32::from(check.to_ascii_uppercase()) == u32::from(b'A') + sum % 26
}

fn cpf(text: &[u8]) -> bool {
    let digits = digits(text);
    let right = |n: u32| {
        let sum: u32 = digits
            .iter()
            .zip((2..n + 2).rev())
            .map(|(d, weight)| d * weight)
            .sum();
        digits.get(n as usize) == Some(&(sum * 10 % 11 % 10))
    };
    // Eleven equal digits add up as well, and are nobody's.
    digits.iter().any(|d| digits.first() != Some(d)) && right(9) && right(10)
}

fn bsn(text: &[u8]) -> bool {
    let digits = digits(text);
    let Some((check, number)) = digits.split_last() else {
        return false;
    };
    let sum: u32 = number
        .iter()
        .zip((2..=9).rev())
        .map(|(d, weight)| d * weight)
        .sum();
    sum > 0 && sum % 11 == *check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn right_and_wrong_values() {
        for (checksum, right, wrong) in [
            (
                Checksum::Github,
                "ghp_|dGlMoiyrlfxX1rTnyFf3vA7NUtFOY64WuYlz",
                "ghp_|dGlMoiyrlfxX1rTnyFf3vA7NUtFOY61WuYlz",
            ),
            (
                Checksum::Npm,
                "npm_|aF0kDQHBwtnOAmp48ddS880t0DnDzA3j1Rm2",
                "npm_|aF0kDQHBwtnOAmp47ddS880t0DnDzA3j1Rm2",
            ),
            (Checksum::Luhn, "4415499095145475", "4415499095845475"),
            (Checksum::Iban, "DE31277204056086569070", "DE31877204056086569070"),
            (Checksum::Ean13, "756.4719.5406.13", "756.4119.5406.13"),
            (Checksum::Dni, "80993261A", "80953261A"),
            (Checksum::Dni, "Y6200889B", "Y6200589B"),
            (Checksum::Nir, "128051731693407", "138051731693407"),
            (Checksum::Nir, "203052A37078149", "203052A30078149"),
            (Checksum::SteuerId, "73893408306", "73893708306"),
            (Checksum::CodiceFiscale, "QTOTSH81H12F191B", "QTOTSH81H32F191B"),
            (Checksum::Cpf, "725.009.574-97", "735.009.574-97"),
            (Checksum::Bsn, "165439269", "165539269"),
        ] {
            let clean = |s: &str| s.replace('|', "").into_bytes();
            assert!(checksum.is_right(&clean(right)), "{checksum:?} {right}");
            assert!(!checksum.is_right(&clean(wrong)), "{checksum:?} {wrong}");
            assert!(!checksum.is_right(b""), "{checksum:?}");
        }
    }
}
