//! A look at a script before it is parsed: how long it is, and how deep it nests. The parser recurses, and would
//! overflow its stack.
//!
//! 1. [`Nesting`] follows quotes, substitutions, groups, keywords and heredocs with a stack of its own, up to a bound.
//! 2. Bodies of heredocs are skipped: the parser does not look into them, and what is expanded in one is checked by itself.
//! 3. Where it should misread a script, [`MOST_OPENERS`] holds: so many bytes could open something, however they are
//!    quoted. The stack of the parsing threads is large enough for that.

/// Longest script, in bytes.
pub(super) const LONGEST: usize = 64 << 10;
/// Deepest nesting of everything.
const DEEPEST: usize = 64;
/// Deepest nesting of substitutions and quotes.
const DEEPEST_SUBSTITUTION: usize = 16;
/// Deepest nesting of what the parser reads in two ways at each level, so that its time doubles: `(` (arithmetic or a
/// subshell), `case`, and subscripts in one word.
const DEEPEST_DOUBLING: usize = 8;
/// Most places that could open anything, quoted or not.
const MOST_OPENERS: usize = 6000;

/// Why a script is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// Too many bytes.
    Length,
    /// Too much nesting.
    Depth,
}

/// Checks a script against all bounds. `depth` counts the scripts that it stands in.
pub(super) fn check(text: &str, depth: u8) -> Result<(), Excess> {
    if text.len() > LONGEST {
        return Err(Excess::Length);
    }
    let most = DEEPEST >> depth.min(3);
    if openers(text.as_bytes()) > MOST_OPENERS || Nesting::new(text.as_bytes(), most).run().is_err() {
        return Err(Excess::Depth);
    }
    Ok(())
}

/// The end of what was opened right before `from` (by `$(` or `${`): the place of its closer.
pub(super) fn closer(text: &[u8], from: usize, open: Open) -> Option<usize> {
    let mut nesting = Nesting::new(text, DEEPEST);
    nesting.at = from;
    nesting.is_command = open == Open::Paren;
    nesting.stack.push(open);
    nesting.stops = true;
    nesting.run().ok().flatten()
}

/// Places that could open anything.
fn openers(text: &[u8]) -> usize {
    let mut count = 0;
    let mut after_blank = true;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' | b'{' | b'`' => count += 1,
            b'i' | b'f' | b'w' | b'u' | b'c' | b's' | b'[' | b'!' if after_blank => {
                let rest = text.get(at..).unwrap_or_default();
                let end = rest.iter().position(|b| is_end_of_word(*b)).unwrap_or(rest.len());
                count += usize::from(is_opening(rest.get(..end).unwrap_or_default()) || *byte == b'!');
            }
            _ => {}
        }
        after_blank = is_end_of_word(*byte);
    }
    count
}

fn is_end_of_word(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' | b'`' | b'"' | b'\''
        )
}

fn is_opening(word: &[u8]) -> bool {
    matches!(
        word,
        b"if" | b"for" | b"while" | b"until" | b"case" | b"select" | b"[["
    )
}

/// What can be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// `$(`.
    Paren,
    /// `(`, `<(`.
    Subshell,
    /// Half of `((` or `$((`.
    Arithmetic,
    /// `{ `.
    Brace,
    /// `${`.
    Parameter,
    /// `"`.
    Double,
    /// A backtick.
    Backtick,
    /// `case`.
    Case,
    /// Another keyword, or `[[`.
    Keyword,
}

struct Heredoc {
    end: Vec<u8>,
    strips_tabs: bool,
}

/// Reads a script once, with a stack of what is open.
struct Nesting<'t> {
    text: &'t [u8],
    at: usize,
    stack: Vec<Open>,
    most: usize,
    is_command: bool,
    stops: bool,
    coprocesses: usize,
    pending: Vec<Heredoc>,
}

impl<'t> Nesting<'t> {
    const fn new(text: &'t [u8], most: usize) -> Self {
        Self {
            text,
            at: 0,
            stack: Vec::new(),
            most,
            is_command: true,
            stops: false,
            coprocesses: 0,
            pending: Vec::new(),
        }
    }

    /// Reads on. Gives the place of the closer of what was open at first, when asked for.
    fn run(mut self) -> Result<Option<usize>, Excess> {
        while let Some(byte) = self.peek(0) {
            let before = self.at;
            match self.stack.last() {
                Some(Open::Double) => self.double(byte)?,
                Some(Open::Parameter) => self.parameter(byte)?,
                _ => self.command(byte)?,
            }
            if self.stops && self.stack.is_empty() {
                return Ok(Some(before));
            }
        }
        Ok(None)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn push(&mut self, open: Open) -> Result<(), Excess> {
        self.stack.push(open);
        let is_inner = |o: &&Open| matches!(o, Open::Paren | Open::Parameter | Open::Double | Open::Backtick);
        let is_doubling = |o: &&Open| matches!(o, Open::Subshell | Open::Arithmetic | Open::Case);
        let substitutions = self.stack.iter().filter(is_inner).count();
        let doubling = self.stack.iter().filter(is_doubling).count();
        if self.stack.len() > self.most || substitutions > DEEPEST_SUBSTITUTION || doubling > DEEPEST_DOUBLING
        {
            return Err(Excess::Depth);
        }
        self.is_command = matches!(
            open,
            Open::Subshell | Open::Paren | Open::Backtick | Open::Brace | Open::Keyword
        );
        Ok(())
    }

    /// Closes down to the nearest of these.
    fn pop(&mut self, open: Open) {
        if let Some(at) = self.stack.iter().rposition(|o| *o == open) {
            self.stack.truncate(at);
        }
        self.is_command = false;
    }

    /// `$(`, `$((`, `${` and backticks, wherever they may stand. Whether it was one.
    fn substitution(&mut self, byte: u8) -> Result<bool, Excess> {
        match (byte, self.peek(1)) {
            (b'$', Some(b'(')) => {
                if self.peek(2) == Some(b'(') {
                    self.push(Open::Arithmetic)?;
                    self.push(Open::Arithmetic)?;
                    self.at += 3;
                } else {
                    self.push(Open::Paren)?;
                    self.at += 2;
                }
            }
            (b'$', Some(b'{')) => {
                self.push(Open::Parameter)?;
                self.at += 2;
            }
            (b'`', _) => {
                if self.stack.contains(&Open::Backtick) {
                    self.pop(Open::Backtick);
                } else {
                    self.push(Open::Backtick)?;
                }
                self.at += 1;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn double(&mut self, byte: u8) -> Result<(), Excess> {
        if self.substitution(byte)? {
            return Ok(());
        }
        match byte {
            b'\\' => self.at += 2,
            b'"' => {
                self.pop(Open::Double);
                self.at += 1;
            }
            _ => self.at += 1,
        }
        Ok(())
    }

    fn parameter(&mut self, byte: u8) -> Result<(), Excess> {
        if self.substitution(byte)? {
            return Ok(());
        }
        match byte {
            b'\\' => self.at += 2,
            b'}' => {
                self.pop(Open::Parameter);
                self.at += 1;
            }
            b'"' => {
                self.push(Open::Double)?;
                self.at += 1;
            }
            b'\'' if !self.stack.contains(&Open::Double) => self.single(false),
            _ => self.at += 1,
        }
        Ok(())
    }

    /// Skips text in single quotes, from its opening quote.
    fn single(&mut self, has_escapes: bool) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                b'\'' => return,
                b'\\' if has_escapes => self.at += 1,
                _ => {}
            }
        }
    }

    fn command(&mut self, byte: u8) -> Result<(), Excess> {
        if self.substitution(byte)? {
            return Ok(());
        }
        let is_arithmetic = self.stack.last() == Some(&Open::Arithmetic);
        match byte {
            b'\\' => {
                self.at += 2;
                self.is_command = false;
            }
            b'\'' => {
                self.single(false);
                self.is_command = false;
            }
            b'$' if self.peek(1) == Some(b'\'') => {
                self.at += 1;
                self.single(true);
                self.is_command = false;
            }
            b'"' => {
                self.push(Open::Double)?;
                self.at += 1;
            }
            b'\n' => {
                self.at += 1;
                self.is_command = true;
                self.skip_heredocs();
            }
            b'#' if !is_arithmetic && self.at_start_of_word() => {
                while self.peek(0).is_some_and(|b| b != b'\n') {
                    self.at += 1;
                }
            }
            b';' | b'&' | b'|' => {
                self.at += 1;
                self.is_command = true;
            }
            b'(' => {
                let open = if is_arithmetic || self.peek(1) == Some(b'(') {
                    Open::Arithmetic
                } else {
                    Open::Subshell
                };
                self.push(open)?;
                self.is_command = true;
                self.at += 1;
            }
            b')' => {
                self.close_paren();
                self.at += 1;
            }
            b'<' if self.peek(1) == Some(b'<') && !is_arithmetic => self.heredoc(),
            b' ' | b'\t' | b'<' | b'>' => self.at += 1,
            _ => self.word()?,
        }
        Ok(())
    }

    fn close_paren(&mut self) {
        let is_paren = |o: &Open| matches!(o, Open::Paren | Open::Subshell | Open::Arithmetic);
        if let Some(at) = self.stack.iter().rposition(is_paren) {
            // A pattern of `case` ends in one as well.
            let is_pattern = self
                .stack
                .get(at..)
                .is_some_and(|above| above.contains(&Open::Case));
            if !is_pattern {
                self.stack.truncate(at);
            }
        }
        self.is_command = true;
    }

    fn at_start_of_word(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.text.get(at));
        before.is_none_or(|b| is_end_of_word(*b) && !matches!(b, b'"' | b'\''))
    }

    /// An unquoted run of a word; keywords count where a command may begin.
    fn word(&mut self) -> Result<(), Excess> {
        let from = self.at;
        let is_whole = self.at_start_of_word();
        while self
            .peek(0)
            .is_some_and(|b| !is_end_of_word(b) && !matches!(b, b'$' | b'\\'))
        {
            self.at += 1;
        }
        // Nothing was taken: a lone `$`.
        self.at = self.at.max(from + 1);
        let word = self.text.get(from..self.at).unwrap_or_default();
        let was_command = std::mem::take(&mut self.is_command);
        if !is_whole {
            return Ok(());
        }
        if word.iter().filter(|b| **b == b'[').count() > DEEPEST_DOUBLING {
            return Err(Excess::Depth);
        }
        match word {
            b"coproc" => {
                self.coprocesses += 1;
                if self.coprocesses > DEEPEST_DOUBLING {
                    return Err(Excess::Depth);
                }
                self.is_command = true;
            }
            b"{" => self.push(Open::Brace)?,
            b"}" => self.pop(Open::Brace),
            b"]]" => self.pop(Open::Keyword),
            b"then" | b"do" | b"else" | b"elif" | b"!" | b"time" | b"in" | b"function" => {
                self.is_command = true;
            }
            b"case" if was_command => self.push(Open::Case)?,
            b"fi" | b"done" if was_command => self.pop(Open::Keyword),
            b"esac" if was_command => self.pop(Open::Case),
            _ if was_command && is_opening(word) => self.push(Open::Keyword)?,
            _ => self.is_command = was_command && word.contains(&b'='),
        }
        Ok(())
    }

    /// `<<END`: its body begins at the next line.
    fn heredoc(&mut self) {
        self.at += 2;
        if self.peek(0) == Some(b'<') {
            self.at += 1;
            return;
        }
        let strips_tabs = self.peek(0) == Some(b'-');
        self.at += usize::from(strips_tabs);
        while self.peek(0).is_some_and(|b| matches!(b, b' ' | b'\t')) {
            self.at += 1;
        }
        let mut end = Vec::new();
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\'' | b'"' => {
                    self.at += 1;
                    while let Some(inner) = self.peek(0).filter(|b| *b != byte) {
                        end.push(inner);
                        self.at += 1;
                    }
                    self.at += 1;
                }
                b'\\' => {
                    end.extend(self.peek(1));
                    self.at += 2;
                }
                b if is_end_of_word(b) => break,
                b => {
                    end.push(b);
                    self.at += 1;
                }
            }
        }
        self.pending.push(Heredoc { end, strips_tabs });
    }

    fn skip_heredocs(&mut self) {
        for heredoc in std::mem::take(&mut self.pending) {
            while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
                let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                let line = rest.get(..length).unwrap_or_default();
                self.at = (self.at + length + 1).min(self.text.len());
                let tabs = if heredoc.strips_tabs {
                    line.iter().take_while(|b| **b == b'\t').count()
                } else {
                    0
                };
                if line.get(tabs..) == Some(heredoc.end.as_slice()) {
                    break;
                }
            }
        }
    }
}
