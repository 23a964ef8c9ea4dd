//! Whether a part of an address or a name carries data: long, and more like random letters than like words.

/// Whether any run of letters and digits in `text` looks like encoded data. Ids, hashes and names do not.
pub(in crate::detect) fn is_payload(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '_' | '-' | '=' | '%')))
        .any(|run| is_encoded(run) || run.split(['_', '-']).any(is_encoded))
}

fn is_encoded(run: &str) -> bool {
    // A git hash has 40 digits, an identifier 36; what is longer is rarely an address of something.
    if run.len() < 32 {
        return false;
    }
    if run.bytes().all(|b| b.is_ascii_hexdigit()) {
        return run.len() > 64 || run.len() > 40 && run.len() != 64;
    }
    if run.matches('%').count() * 3 > run.len() / 2 {
        return run.len() >= 96;
    }
    let count = |is: fn(&u8) -> bool| run.bytes().filter(is).count();
    let (upper, lower, digits) = (
        count(u8::is_ascii_uppercase),
        count(u8::is_ascii_lowercase),
        count(u8::is_ascii_digit),
    );
    let turns = run
        .as_bytes()
        .windows(2)
        .filter(|w| matches!(w, [a, b] if kind(*a) != kind(*b)))
        .count();
    let is_mixed = upper >= 3 && lower >= 3 && digits >= 1 && turns * 4 >= run.len();
    let is_base32 = lower.min(upper) == 0 && digits >= 3 && upper + lower >= 8 && turns * 6 >= run.len();
    is_mixed || is_base32 && !is_identifier(run)
}

/// Groups as in a UUID.
fn is_identifier(run: &str) -> bool {
    run.len() == 36 && run.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

/// Whether a label of a host's name carries data, as names looked up to carry it out do.
pub(in crate::detect) fn is_data_label(label: &str) -> bool {
    let digits = label.bytes().filter(u8::is_ascii_digit).count();
    let letters = label.bytes().filter(u8::is_ascii_alphabetic).count();
    let is_hex = label.len() >= 32 && label.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex || label.len() >= 24 && !label.contains('-') && digits >= 3 && letters >= 8 || label.len() > 48
}
