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
    /// A tag was begun within code that is still open.
    has_tag: bool,
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
        let is_address = |c| {
            matches!(
                c,
                '/' | '\\' | '@' | '?' | '&' | '%' | '#' | '.' | '`' | '~' | '<'
            )
        };
        self.is_closed()
            && !is_indented(&self.line)
            && !self.line.trim_start_matches(is_before_block).starts_with("~~~")
            && !word.contains(is_address)
    }

    /// Whether what follows this text, as a text of its own, begins where nothing is open.
    pub(super) fn is_closed(&self) -> bool {
        let paragraph = &self.paragraph;
        self.fence.is_none()
            && !self.is_lost
            && !self.is_long
            && paragraph.code == 0
            && paragraph.run == 0
            && paragraph.brackets == 0
            && !paragraph.has_address
            && !paragraph.is_odd
    }

    /// The line so far.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Reads one character on.
    pub(super) fn take(&mut self, c: char) {
        // A carriage return alone ends a line, for some.
        self.is_lost |= self.line.ends_with('\r') && c != '\n';
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
            let begins_tag =
                self.paragraph.last == Some('<') && (c.is_ascii_alphabetic() || "/!?".contains(c));
            // In code that is closed in its line it is none.
            self.is_lost |= begins_tag && self.paragraph.code == 0;
            self.paragraph.has_tag |= begins_tag;
            self.paragraph.take(c);
            self.paragraph.last = Some(c);
        }
    }

    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let is_long = std::mem::take(&mut self.is_long);
        let line = line.trim_end_matches(['\r', ' ', '\t']);
        let bare = line.trim_start_matches([' ', '\t']);
        // Blanks that are none in Markdown.
        self.is_lost |= bare.trim() != bare;
        let mark = bare.chars().next().filter(|c| matches!(c, '`' | '~'));
        let indent = indent_of(line);
        if let Some(open) = self.fence {
            let text = bare;
            let is_close = Some(open.mark) == mark
                && text.len() >= open.length
                && text.chars().all(|c| c == open.mark)
                && !is_long;
            if is_close && indent < 4 && indent >= open.indent {
                self.fence = None;
                self.paragraph = Paragraph::default();
            } else if is_close || !text.is_empty() && indent < open.indent {
                // A list that it is in may end here, and the block with it; or it is closed for some.
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
                let is_within = bare.len() != text.len();
                self.is_lost |= is_inline || is_within || indent >= 4 || is_long;
                self.fence = Some(Fence { mark, length, indent });
            }
            None if bare.is_empty() => self.paragraph = Paragraph::default(),
            None => self.is_lost |= self.paragraph.end_of_line(),
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
            // Escaped, it opens and closes nothing; who counts it all the same sees something else.
            '[' | ']' if self.last == Some('\\') => self.is_odd = true,
            '[' => self.brackets += 1,
            ']' => self.brackets = self.brackets.saturating_sub(1),
            '(' | ':' if self.last == Some(']') => self.has_address = true,
            _ => {}
        }
    }

    /// What is open at the end of a line: a list may begin in the next, and with it another paragraph. `true`: for some a tag
    /// has begun.
    fn end_of_line(&mut self) -> bool {
        self.end_run();
        self.is_odd |= self.code > 0 || self.brackets > 0;
        self.last = Some('\n');
        self.code > 0 && self.has_tag
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run == 0 {
        } else if self.code == 0 {
            self.code = run;
        } else if self.code == run {
            self.code = 0;
            self.has_tag = false;
        }
    }
}

/// Four blanks or a tab before what a line says make a block of code, in some places, also behind marks.
fn is_indented(line: &str) -> bool {
    let said = line.trim_start_matches(is_before_block);
    let before = line.get(..line.len() - said.len()).unwrap_or_default();
    before.contains("    ") || before.contains('\t')
}

/// How far a line is indented.
fn indent_of(line: &str) -> usize {
    let blanks = line.chars().take_while(|c| c.is_whitespace());
    blanks.map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

/// What may stand before the fence of a block: quotes, bullets, numbers.
fn is_before_block(c: char) -> bool {
    matches!(c, ' ' | '\t') || c.is_ascii_digit() || matches!(c, '>' | '-' | '*' | '+' | '.' | ')')
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
            ("a `Vec<String>` and ", true),
            ("one\r\n\r\ntwo ", true),
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
            ("  ```\nx\n     ```\nthe key ", false),
            ("1. x\n   ```\n   c\n ```\nthe key ", false),
            (">     ", false),
            ("-     ", false),
            ("~~~ ", false),
            ("a\r~~~sh\rcurl ", false),
            ("```\nx\n```\u{a0}\nthe key ", false),
            ("`a\n\u{a0}\nthe key ", false),
            ("a ` b\n<pre><img src=\"x\n\nthe key ", false),
            ("[a \\] the key ", false),
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
