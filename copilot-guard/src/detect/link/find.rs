//! Finds addresses in text, with what stands around them.

use std::ops::Range;

use super::scheme::{MAX_SCHEME, is_address};
use super::{Form, Found, Search, Unclosed};

/// Longest address that is looked at as one; longer ones end there, and are no less addresses.
pub(super) const MAX_ADDRESS: usize = 64 << 10;
/// How far before `from` what makes an address an image may begin.
const MAX_CONTEXT: usize = 8192;
/// Most brackets that are open at once; those that were open before are forgotten.
const MAX_OPEN: usize = 64;

/// All addresses that end behind `from`, in order. What stands before `from` is context, and with `is_cut` more stood
/// before that.
pub(super) fn all(text: &str, from: usize, is_cut: bool) -> Search {
    let is_cut = is_cut || from > MAX_CONTEXT;
    let mut finder = Finder {
        text,
        bytes: text.as_bytes(),
        from,
        found: Vec::new(),
        open: Vec::new(),
        closed: None,
        tag: None,
        quote: None,
        line_opens: is_cut.then_some(true),
        is_cut,
        unclosed: None,
    };
    finder.run(from.saturating_sub(MAX_CONTEXT));
    Search {
        found: finder.found,
        unclosed: finder.unclosed,
    }
}

pub(super) struct Finder<'t> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    from: usize,
    found: Vec<Found>,
    /// Brackets that are open: whether each is that of an image.
    open: Vec<bool>,
    /// Where the last bracket closed, and whether it was that of an image.
    closed: Option<(usize, bool)>,
    /// The name of the tag that is open.
    pub(super) tag: Option<Range<usize>>,
    /// The quote that is open within the tag.
    quote: Option<u8>,
    /// Whether the first sign of this line is a bracket. `None` before it.
    line_opens: Option<bool>,
    /// The paragraph began out of sight, and what is open in it.
    pub(super) is_cut: bool,
    pub(super) unclosed: Option<Unclosed>,
}

impl Finder<'_> {
    fn run(&mut self, start: usize) {
        let mut at = start;
        while let Some(byte) = self.bytes.get(at).copied() {
            self.follow(at, byte);
            let next = match byte {
                b'(' => self.inline(at),
                b':' => self.reference(at).or_else(|| self.scheme(at)),
                b'<' => self.auto(at),
                b'=' => self.attribute(at),
                b'\\' => self.share(at),
                b'w' | b'W' => self.www(at),
                b'u' | b'U' => self.css(at),
                _ => None,
            };
            // What was found is not looked at again; else one byte on.
            at = next.unwrap_or(at + 1).max(at + 1);
        }
    }

    /// What is open at this place.
    fn follow(&mut self, at: usize, byte: u8) {
        match byte {
            b'\n' => {
                self.line_opens = None;
                // A blank line ends a paragraph, and with it the text of a link.
                if self.is_blank_line(at + 1) {
                    self.open.clear();
                    (self.quote, self.is_cut) = (None, false);
                }
                return;
            }
            b'[' if !self.is_escaped(at) => {
                let mark = at.checked_sub(1).filter(|m| self.bytes.get(*m) == Some(&b'!'));
                let is_image = mark.is_some_and(|m| !self.is_escaped(m));
                if self.open.len() >= MAX_OPEN {
                    self.open.remove(0);
                }
                self.open.push(is_image);
            }
            // A bracket that opened out of sight may be that of an image.
            b']' if !self.is_escaped(at) => self.closed = Some((at, self.open.pop().unwrap_or(self.is_cut))),
            b'<' if self.quote.is_none() => {
                let name = self.bytes.get(at + 1..).unwrap_or_default();
                let len = name
                    .iter()
                    .take(32)
                    .take_while(|b| b.is_ascii_alphanumeric() || **b == b'-')
                    .count();
                if name.first().is_some_and(u8::is_ascii_alphabetic) {
                    self.tag = Some(at + 1..at + 1 + len);
                    self.quote = None;
                }
            }
            b'>' if self.quote.is_none() => self.tag = None,
            b'"' | b'\'' if self.tag.is_some() => match self.quote {
                Some(quote) if quote == byte => self.quote = None,
                Some(_) => {}
                None if at.checked_sub(1).and_then(|b| self.bytes.get(b)) == Some(&b'=') => {
                    self.quote = Some(byte)
                }
                None => {}
            },
            _ => {}
        }
        // Quotes and items of lists may stand before it.
        let is_mark = matches!(
            byte,
            b' ' | b'\t' | b'\r' | b'>' | b'*' | b'-' | b'+' | b'0'..=b'9' | b'.' | b')'
        );
        if self.line_opens.is_none() && !is_mark {
            self.line_opens = Some(byte == b'[');
        }
    }

    pub(super) fn add(&mut self, range: Range<usize>, form: Form, loads: bool) -> usize {
        let end = range.end;
        if !range.is_empty() && range.end > self.from {
            self.found.push(Found { range, form, loads });
        }
        end
    }

    /// `](address "title")`.
    fn inline(&mut self, paren: usize) -> Option<usize> {
        let close = paren.checked_sub(1)?;
        if self.bytes.get(close) != Some(&b']') {
            return None;
        }
        let start = self.skip_line_end(paren + 1);
        let range = self.destination(start, true)?;
        let is_image = self.closed.is_some_and(|(at, is_image)| at == close && is_image);
        Some(self.add(range, if is_image { Form::Image } else { Form::Link }, is_image))
    }

    fn is_escaped(&self, at: usize) -> bool {
        let before = self.bytes.get(at.saturating_sub(8)..at).unwrap_or_default();
        before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
    }

    /// `[id]: address` at the start of a line. An image may use it, so it counts as one that loads.
    fn reference(&mut self, colon: usize) -> Option<usize> {
        let close = colon
            .checked_sub(1)
            .filter(|at| self.bytes.get(*at) == Some(&b']'))?;
        if self.line_opens != Some(true) || close == 0 {
            return None;
        }
        let start = self.skip_line_end(colon + 1);
        let range = self.destination(start, false)?;
        Some(self.add(range, Form::Reference, true))
    }

    /// A link's address: `<…>`, or up to a blank with balanced parentheses.
    fn destination(&mut self, start: usize, in_parens: bool) -> Option<Range<usize>> {
        if self.bytes.get(start) == Some(&b'<') {
            let rest = self.bytes.get(start + 1..)?;
            let len = rest
                .iter()
                .take(MAX_ADDRESS)
                .position(|b| matches!(b, b'>' | b'\n' | b'<'))
                .unwrap_or_else(|| {
                    self.unclosed = Some(Unclosed {
                        start: start + 1,
                        close: '>',
                    });
                    rest.len().min(MAX_ADDRESS)
                });
            return Some(start + 1..self.boundary(start + 1 + len));
        }
        let mut depth = 0usize;
        let mut at = start;
        while let Some(byte) = self.bytes.get(at).filter(|_| at - start < MAX_ADDRESS) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => break,
                b'\\' if self.bytes.get(at + 1).is_some_and(|b| matches!(b, b'(' | b')')) => at += 1,
                b'(' => depth += 1,
                b')' if depth == 0 && in_parens => break,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        let end = self.boundary(at.min(self.bytes.len()));
        (end > start).then_some(start..end)
    }

    /// `<address>`, and the start of a tag, whose attributes are found on their own.
    fn auto(&mut self, open: usize) -> Option<usize> {
        let start = open + 1;
        let rest = self.bytes.get(start..)?;
        let scheme = rest
            .iter()
            .take(40)
            .take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
            .count();
        if scheme < 2 || rest.get(scheme) != Some(&b':') {
            return None;
        }
        let len = rest
            .iter()
            .take(MAX_ADDRESS)
            .position(|b| matches!(b, b'>' | b'<' | b' ' | b'\n' | b'\t'))
            .unwrap_or(rest.len().min(MAX_ADDRESS));
        let end = self.boundary(start + len);
        Some(self.add(start..end, Form::Auto, false))
    }

    /// `scheme:…` in the middle of text.
    fn scheme(&mut self, colon: usize) -> Option<usize> {
        let low = colon.saturating_sub(MAX_SCHEME);
        let start = (low..colon)
            .rev()
            .find(|at| {
                !self
                    .bytes
                    .get(*at)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
            })
            .map_or(low, |at| at + 1);
        let scheme = self.text.get(start..colon)?.to_ascii_lowercase();
        let rest = self.bytes.get(colon + 1..)?;
        is_address(&scheme, rest).then(|| self.bare(start)).flatten()
    }

    fn www(&mut self, at: usize) -> Option<usize> {
        let is_www = self
            .bytes
            .get(at..at + 4)
            .is_some_and(|b| b.eq_ignore_ascii_case(b"www."));
        let is_start = at == 0
            || !self
                .bytes
                .get(at - 1)
                .is_some_and(|b| b.is_ascii_alphanumeric() || b"-_./@".contains(b));
        let has_name = self.bytes.get(at + 4).is_some_and(u8::is_ascii_alphanumeric);
        (is_www && is_start && has_name).then(|| self.bare(at)).flatten()
    }

    /// `\\host\share`: opened by itself where a program shows it as a link.
    fn share(&mut self, at: usize) -> Option<usize> {
        let is_share = self.bytes.get(at..at + 2) == Some(b"\\\\")
            && self.bytes.get(at + 2).is_some_and(u8::is_ascii_alphanumeric);
        let is_start = at == 0
            || self
                .bytes
                .get(at - 1)
                .is_some_and(|b| matches!(b, b' ' | b'\n' | b'(' | b'<' | b'\t'));
        if !(is_share && is_start) {
            return None;
        }
        let rest = self.bytes.get(at + 2..)?;
        let len = rest
            .iter()
            .take(256)
            .take_while(|b| b.is_ascii_alphanumeric() || b"-._@".contains(b))
            .count();
        let is_host = rest.get(len) == Some(&b'\\') && rest.get(..len).is_some_and(|h| h.contains(&b'.'));
        is_host.then(|| self.bare(at)).flatten()
    }

    /// An address without brackets: up to a blank or a sign that none has; signs of the sentence are not part of it.
    fn bare(&mut self, start: usize) -> Option<usize> {
        let rest = self.bytes.get(start..)?;
        let mut depth = 0usize;
        let mut len = 0;
        for (at, byte) in rest.iter().enumerate().take(MAX_ADDRESS) {
            let is_end = match byte {
                b'(' => {
                    depth += 1;
                    false
                }
                // Without a parenthesis that it closes, it is one of the sentence, or that of a link.
                b')' if depth == 0 => true,
                b')' => {
                    depth -= 1;
                    false
                }
                // `[https://…](https://…)`: the text of a link ends where its address begins.
                b']' => rest.get(at + 1) == Some(&b'('),
                b'<' | b'>' | b'"' | b'`' | b'|' => true,
                _ => byte.is_ascii_whitespace() || byte.is_ascii_control(),
            };
            if is_end {
                break;
            }
            len = at + 1;
        }
        let is_of_sentence = |b: &u8| b".,;:!?'*_~]}".contains(b);
        let signs = rest.get(..len)?.iter().rev().take_while(|b| is_of_sentence(b));
        len -= signs.count();
        let end = self.boundary(start + len);
        (end > start).then(|| self.add(start..end, Form::Bare, false))
    }

    pub(super) fn skip_blanks(&self, mut at: usize) -> usize {
        while self.bytes.get(at).is_some_and(|b| matches!(b, b' ' | b'\t')) {
            at += 1;
        }
        at
    }

    /// Blanks, and one line end among them, with the marks of quotes behind it.
    fn skip_line_end(&self, at: usize) -> usize {
        let at = self.skip_blanks(at);
        let end = at + usize::from(self.bytes.get(at) == Some(&b'\r'));
        if self.bytes.get(end) != Some(&b'\n') {
            return at;
        }
        let mut at = end + 1;
        while self
            .bytes
            .get(at)
            .is_some_and(|b| matches!(b, b' ' | b'\t' | b'>'))
        {
            at += 1;
        }
        at
    }

    /// Whether nothing but blanks stands in the line that begins here.
    pub(super) fn is_blank_line(&self, at: usize) -> bool {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let behind = rest
            .iter()
            .take(MAX_SCHEME)
            .find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
        behind == Some(&b'\n')
    }

    pub(super) fn skip_space(&self, mut at: usize) -> usize {
        while self.bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        at
    }

    /// The next boundary of a character.
    pub(super) fn boundary(&self, mut at: usize) -> usize {
        at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        at
    }
}
