//! How much of a text is code: fenced blocks, and lines that look like code. For rules on oversize code alone.

/// Bytes of code in a text: the lines of fenced blocks, and lines outside of them that look like code. Line ends count.
pub(super) fn bytes(text: &str) -> usize {
    let mut fence: Option<Fence> = None;
    let mut bytes = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        match (&fence, Fence::of(bare)) {
            (Some(open), Some(close)) if close.closes(open, bare) => fence = None,
            (Some(_), _) => bytes += line.len(),
            (None, Some(open)) => fence = Some(open),
            (None, None) if looks_like_code(line, bare) => bytes += line.len(),
            (None, None) => {}
        }
    }
    bytes
}

/// Three or more of one of two characters, at the beginning of a line.
struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    fn of(bare: &str) -> Option<Self> {
        let mark = bare.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = bare.chars().take_while(|c| *c == mark).count();
        (length >= 3).then_some(Self { mark, length })
    }

    fn closes(&self, open: &Self, bare: &str) -> bool {
        self.mark == open.mark && self.length >= open.length && bare.len() == self.length
    }
}

/// What begins a line of code in many languages and hardly ever one of prose.
const STARTS: &[&str] = &[
    "@Override",
    "async def ",
    "async fn ",
    "const ",
    "def ",
    "elif ",
    "enum ",
    "export ",
    "fn ",
    "fun ",
    "func ",
    "function ",
    "impl ",
    "import ",
    "let ",
    "namespace ",
    "package ",
    "private ",
    "protected ",
    "pub ",
    "public ",
    "return ",
    "static ",
    "struct ",
    "throw ",
    "typedef ",
    "using ",
    "var ",
    "void ",
    "</",
    "}",
];

/// What begins no line of prose.
const ONLY_CODE: &[&str] = &["#include", "#define", "#!/", "//", "/*", "*/", "} else"];

/// What ends one.
const ENDS: &[&str] = &["{", "}", ";", "};", "});", "):", "=>", "->", "\\", "*/", "/>"];

/// What stands within one.
const MARKS: &[&str] = &[
    "()", "==", "!=", "=>", "->", "::", "&&", "||", " = ", "+=", "[]", "</", "/>", ");", "({",
];

fn looks_like_code(line: &str, bare: &str) -> bool {
    if bare.is_empty() {
        return false;
    }
    if ONLY_CODE.iter().any(|s| bare.starts_with(s)) {
        return true;
    }
    let starts = STARTS.iter().any(|s| bare.starts_with(s));
    let ends = ENDS.iter().any(|e| bare.ends_with(e));
    let marked = MARKS.iter().any(|m| bare.contains(m));
    let indented = line.starts_with('\t') || line.starts_with("    ");
    // Each of these stands in prose too, two of them hardly ever.
    u8::from(starts) + u8::from(ends) + u8::from(marked) + u8::from(indented) >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_code_and_not_prose() {
        let prose = "Let us meet at ten; bring the notes.\n\nI import goods. Public transport (or a taxi) is fine.\n    An indented quote.\n";
        assert_eq!(bytes(prose), 0);
        let fenced = "Look:\n```rust\nfn main() {}\n\nanything at all\n```\nThanks.\n";
        assert_eq!(bytes(fenced), "fn main() {}\n\nanything at all\n".len());
        let longer = "~~~~\n```\n~~~\n~~~~\n";
        assert_eq!(bytes(longer), "```\n~~~\n".len());
        let open = "```\nnever closed";
        assert_eq!(bytes(open), "never closed".len());
        let bare = "fn main() {\n    let x = 1;\n    println!(\"{x}\");\n}\n";
        assert_eq!(bytes(bare), bare.len());
        let python = "def f(x):\n    return x == 1\n";
        assert_eq!(bytes(python), python.len());
    }
}
