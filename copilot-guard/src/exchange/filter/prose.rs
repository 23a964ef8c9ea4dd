//! Whether a text that is still arriving is prose where it stands, for sure: no code, no link, no tag, no address.
//!
//! Says no wherever programs may read Markdown differently: until the paragraph ends, where that sets them right again,
//! else until the text does.

/// Longest line that is understood, in bytes.
const LONGEST: usize = 4096;

/// Reads a text up to a place.
#[derive(Debug, Default)]
pub(super) struct Prose {
    /// The line so far, and whether it is longer than what is kept of it.
    line: String,
    is_long: bool,
    fence: Option<Fence>,
    /// A tag, or a block that not all programs see: what follows is uncertain to the end.
    is_lost: bool,
    paragraph: Paragraph,
}

/// The block of code that is open.
#[derive(Debug, Clone, Copy)]
struct Fence {
    mark: char,
    length: usize,
    /// Blanks before it.
    indent: usize,
}

/// What has been opened in the paragraph so far.
#[derive(Debug, Default)]
struct Paragraph {
    /// Backticks of the inline code that is open, and of the run at hand.
    code: usize,
    run: usize,
    brackets: usize,
    /// `](`, or a definition `[id]:`.
    has_address: bool,
    /// Something that programs read differently.
    is_odd: bool,
    last: Option<char>,
}

impl Prose {
    /// Reads on.
    pub(super) fn read(&mut self, text: &str) {
        text.chars().for_each(|c| self.take(c));
    }

    /// Whether a word may begin here that means nothing but itself.
    pub(super) fn is_here(&self) -> bool {
        let word = self.line.rsplit(char::is_whitespace).next().unwrap_or_default();
        let is_address = |c| matches!(c, '/' | '\\' | '@' | '?' | '&' | '%' | '#' | '.' | '`' | '~');
        let paragraph = &self.paragraph;
        let is_closed = paragraph.code == 0
            && paragraph.run == 0
            && paragraph.brackets == 0
            && !paragraph.has_address
            && !paragraph.is_odd;
        self.fence.is_none()
            && !self.is_lost
            && !self.is_long
            && is_closed
            && indent_of(&self.line) < 4
            && !word.contains(is_address)
    }

    /// The line so far.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    fn take(&mut self, c: char) {
        if c == '\n' {
            self.end_of_line();
            return;
        }
        if self.line.len() < LONGEST {
            self.line.push(c);
        } else {
            self.is_long = true;
        }
        if self.fence.is_none() {
            let is_in_code = self.paragraph.code > 0;
            let begins_tag =
                self.paragraph.last == Some('<') && (c.is_ascii_alphabetic() || "/!?".contains(c));
            self.is_lost |= begins_tag && !is_in_code;
            self.paragraph.take(c);
            self.paragraph.last = Some(c);
        }
    }

    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let is_long = std::mem::take(&mut self.is_long);
        let mark = line
            .trim_start()
            .chars()
            .next()
            .filter(|c| matches!(c, '`' | '~'));
        let indent = indent_of(&line);
        if let Some(open) = self.fence {
            let text = line.trim();
            let is_close = Some(open.mark) == mark
                && text.len() >= open.length
                && text.chars().all(|c| c == open.mark)
                && !is_long;
            if is_close && indent < open.indent + 4 && indent >= open.indent.min(1) {
                self.fence = None;
                self.paragraph = Paragraph::default();
            } else if !text.is_empty() && indent < open.indent {
                // The list that it is in may end here, and the block with it.
                self.is_lost = true;
            }
            return;
        }
        let text = line.trim_start_matches(is_before_block);
        let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = text.chars().take_while(|c| Some(*c) == mark).count();
        match mark.filter(|_| length >= 3) {
            Some(mark) => {
                let is_inline = mark == '`' && text.get(length..).is_some_and(|info| info.contains('`'));
                let is_within = line.trim_start().len() != text.len();
                self.is_lost |= is_inline || is_within || indent >= 4 || is_long;
                self.fence = Some(Fence { mark, length, indent });
            }
            None if line.trim().is_empty() => self.paragraph = Paragraph::default(),
            None => self.paragraph.end_of_line(),
        }
    }
}

impl Paragraph {
    fn take(&mut self, c: char) {
        if c == '`' {
            // It opens code in one program, and in another it does not.
            self.is_odd |= self.last == Some('\\');
            self.run += 1;
            return;
        }
        self.end_run();
        if self.code > 0 {
            return;
        }
        match c {
            '[' => self.brackets += 1,
            ']' => self.brackets = self.brackets.saturating_sub(1),
            '(' | ':' if self.last == Some(']') => self.has_address = true,
            _ => {}
        }
    }

    /// What is open at the end of a line: a list may begin in the next, and with it another paragraph.
    fn end_of_line(&mut self) {
        self.end_run();
        self.is_odd |= self.code > 0 || self.brackets > 0;
        self.last = Some('\n');
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run == 0 {
        } else if self.code == 0 {
            self.code = run;
        } else if self.code == run {
            self.code = 0;
        }
    }
}

/// Four blanks or a tab make a block of code, in some places.
fn indent_of(line: &str) -> usize {
    let blanks = line.chars().take_while(|c| c.is_whitespace());
    blanks.map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

/// What may stand before the fence of a block: quotes, bullets, numbers.
fn is_before_block(c: char) -> bool {
    c.is_whitespace() || c.is_ascii_digit() || matches!(c, '>' | '-' | '*' | '+' | '.' | ')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_what_is_none() {
        for (text, expected) in [
            ("", true),
            ("Your token is ", true),
            ("Your token is **", true),
            ("- the key: ", true),
            ("key=", true),
            ("`code` and ", true),
            ("Look:\n```sh\nls\n```\nthe key ", true),
            ("~~~\ncode\n~~~\n", true),
            ("  ```sh\n  ls\n  ```\nthe key ", true),
            ("`a\nb` c\n\nthe key ", true),
            ("[seen](https://docs.rs/x).\n\nthe key ", true),
            ("a < b and ", true),
            ("| key | ", true),
            ("```\ncurl -H ", false),
            // Closed in one program, and not in another.
            ("> ```\n> code\n> ```\n> the key ", false),
            ("```\n    ```\nthe key ", false),
            ("```\n> ```\nthe key ", false),
            ("```\n- ```\nthe key ", false),
            ("```a``` b\n```\nthe key ", false),
            ("    ```\n    ```\nthe key ", false),
            ("  ```\nout\n```\nthe key ", false),
            ("`open\n- item ` ", false),
            ("[open\n- item] ", false),
            ("```sh ", false),
            ("~~~~\n~~~\n", false),
            ("- ```\n  curl ", false),
            ("1. ```\n", false),
            ("> ```\n", false),
            ("`curl ", false),
            ("`", false),
            ("``a ` b ", false),
            ("a \\` b ` c ", false),
            ("`open\nstill ", false),
            ("    indented ", false),
            ("\tindented ", false),
            ("![](", false),
            ("![](https://a.example/?q=", false),
            ("[see ", false),
            ("[a](b) then ", false),
            ("[id]: ", false),
            ("[id]:\n", false),
            ("[id][", false),
            ("https://a.example/", false),
            ("www.", false),
            ("mail@", false),
            ("a\\", false),
            ("<a href=", false),
            ("<pre>\n\nthe key ", false),
            ("</p> the key ", false),
            ("<!-- ", false),
        ] {
            let mut prose = Prose::default();
            prose.read(text);
            assert_eq!(prose.is_here(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_no_prose() {
        let mut prose = Prose::default();
        prose.read(&"word ".repeat(LONGEST));
        assert!(!prose.is_here());
        prose.read("\n");
        assert!(prose.is_here());
    }
}
