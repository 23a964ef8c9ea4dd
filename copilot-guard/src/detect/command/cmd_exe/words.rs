//! The commands and words of a line of `cmd.exe`.

/// What is as good as a blank between words.
pub(super) const SEPARATORS: [char; 3] = [',', ';', '='];

pub(super) fn separated(arg: &str) -> Vec<String> {
    arg.split(SEPARATORS)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether a command is a loop, behind what may stand before one: `@`, `do`, a condition.
pub(super) fn begins_loop(piece: &str) -> bool {
    let mut rest = piece.to_ascii_lowercase();
    for _ in 0..8 {
        let bare = rest.trim_start_matches(['@', ' ', '\t', ',', ';', '=', '(']);
        let (first, behind) = bare.split_once([' ', '\t', ',', ';', '=']).unwrap_or((bare, ""));
        rest = match first {
            "for" => return true,
            "do" | "else" | "call" => behind.to_owned(),
            "if" => {
                let words: Vec<String> = behind.split_whitespace().map(str::to_owned).collect();
                words.get(after_condition(&words)..).unwrap_or_default().join(" ")
            }
            _ => return false,
        };
    }
    true
}

/// The commands of a text without their carets, each with the sign that ends it.
pub(super) fn pieces(text: &str) -> Vec<(String, char)> {
    let mut out = Vec::new();
    let mut piece = String::new();
    let mut quoted = false;
    let mut brackets = 0_usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '@' | ' ' | '\t' if piece.is_empty() => {}
            '"' => {
                quoted = !quoted;
                piece.push(c);
            }
            '^' if !quoted => match chars.next() {
                Some('\r') => {
                    chars.next_if_eq(&'\n');
                }
                Some('\n') | None => {}
                // An escaped sign is text: `echo a ^& b`.
                Some('<' | '>') => piece.push('\u{1}'),
                Some(n) => piece.push(n),
            },
            '\n' | '\r' => {
                quoted = false;
                out.push((std::mem::take(&mut piece), '\n'));
            }
            '&' | '|' if !quoted => {
                let is_double = chars.next_if_eq(&c).is_some();
                out.push((std::mem::take(&mut piece), if is_double { '&' } else { c }));
            }
            // Within a command a bracket is text.
            '(' if !quoted && !opens(&piece) => {
                brackets += 1;
                piece.push(c);
            }
            ')' if !quoted && brackets > 0 => {
                brackets -= 1;
                piece.push(c);
            }
            '(' | ')' if !quoted => out.push((std::mem::take(&mut piece), c)),
            c => piece.push(c),
        }
    }
    out.push((piece, '\n'));
    out
}

/// Whether a bracket behind this opens a block, or what a loop goes over.
fn opens(before: &str) -> bool {
    // Only its ends are looked at: it may be asked for every bracket of a long text.
    let bytes = before.as_bytes();
    let first = bytes
        .get(..bytes.len().min(5))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let last = bytes
        .get(bytes.len().saturating_sub(8)..)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let last = last.trim_ascii_end();
    let last = last.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
    bytes.is_empty()
        || matches!(last, b"in" | b"do" | b"else")
        || [&b"if "[..], b"for ", b"else ", b"do "]
            .iter()
            .any(|word| first.starts_with(word))
}

/// The words of a command without quotes, and the files that it is sent to.
pub(super) fn words(piece: &str) -> (Vec<String>, Vec<String>) {
    let mut words = Vec::new();
    let mut targets = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut is_target = false;
    let mut flush = |word: &mut String, is_target: &mut bool| {
        if !word.is_empty() {
            let word = std::mem::take(word);
            if std::mem::take(is_target) {
                targets.push(word)
            } else {
                words.push(word)
            }
        }
    };
    for c in piece.chars() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => {
                if matches!(word.as_str(), "1" | "2") {
                    word.clear();
                }
                flush(&mut word, &mut is_target);
                is_target = true;
            }
            ' ' | '\t' if !quoted => flush(&mut word, &mut is_target),
            c => word.push(c),
        }
    }
    flush(&mut word, &mut is_target);
    (words, targets)
}

/// Where the command of an `if` begins.
pub(super) fn after_condition(args: &[String]) -> usize {
    let mut at = 0;
    let word = |at: usize| args.get(at).map(|a| a.to_ascii_lowercase()).unwrap_or_default();
    while matches!(word(at).as_str(), "/i" | "not") {
        at += 1;
    }
    match word(at).as_str() {
        "exist" | "defined" | "errorlevel" | "cmdextversion" => at + 2,
        first if first.contains("==") && !first.ends_with("==") => at + 1,
        first if first.ends_with("==") => at + 2,
        _ if word(at + 1) == "=="
            || matches!(
                word(at + 1).as_str(),
                "equ" | "neq" | "lss" | "leq" | "gtr" | "geq"
            ) =>
        {
            at + 3
        }
        _ => at + 1,
    }
}
