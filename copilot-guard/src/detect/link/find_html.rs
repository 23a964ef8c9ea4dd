//! Addresses in attributes of tags and in styles.

use super::find::{Finder, MAX_ADDRESS};
use super::{Form, Unclosed};

impl Finder<'_> {
    /// `name="address"`, `name='address'` or `name=address`, for names whose values are addresses.
    pub(super) fn attribute(&mut self, equals: usize) -> Option<usize> {
        // A tag that opened out of sight may be open.
        if self.tag.is_none() && !self.is_cut {
            return None;
        }
        let blanks = self.bytes.get(equals.saturating_sub(16)..equals)?.iter().rev();
        let name_end = equals - blanks.take_while(|b| b.is_ascii_whitespace()).count();
        let low = name_end.saturating_sub(24);
        let name_start = (low..name_end)
            .rev()
            .find(|at| {
                !self
                    .bytes
                    .get(*at)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || b"-:_".contains(b))
            })
            .map_or(low, |at| at + 1);
        let name = self.text.get(name_start..name_end)?.to_ascii_lowercase();
        let loads = match name.as_str() {
            "src" | "srcset" | "poster" | "background" | "data" | "imagesrcset" | "lowsrc" | "dynsrc"
            | "data-src" | "xlink:href" => true,
            "href" => self.is_loading_tag(),
            "action" | "formaction" | "cite" | "longdesc" | "ping" | "manifest" | "codebase" => false,
            _ => return None,
        };
        let start = self.skip_space(equals + 1);
        let quote = self
            .bytes
            .get(start)
            .copied()
            .filter(|b| matches!(b, b'"' | b'\''));
        let quoted = quote.and_then(|quote| self.quoted(start + 1, quote));
        let (start, end) = match quoted {
            Some(end) => (start + 1, end),
            // A quote that is not closed is none.
            None => {
                let start = start + usize::from(quote.is_some());
                let rest = self.bytes.get(start..)?;
                let is_end = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'"' | b'\'' | b'<');
                let len = rest
                    .iter()
                    .take(MAX_ADDRESS)
                    .position(is_end)
                    .unwrap_or(rest.len().min(MAX_ADDRESS));
                (start, start + len)
            }
        };
        let next = end + usize::from(quoted.is_some());
        let end = self.boundary(end);
        let value = self.text.get(start..end)?;
        if name.ends_with("srcset") {
            let mut at = start;
            for item in value.split_inclusive(',') {
                let lead = item.len() - item.trim_start().len();
                let len = item
                    .trim_start()
                    .find([' ', ',', '\t', '\n'])
                    .unwrap_or(item.len() - lead);
                self.add(at + lead..at + lead + len, Form::Html, true);
                at += item.len();
            }
            return Some(next);
        }
        self.add(start..end, Form::Html, loads);
        Some(next)
    }

    /// Where the quote closes, if it does before the next tag or blank line.
    fn quoted(&mut self, start: usize, quote: u8) -> Option<usize> {
        let rest = self.bytes.get(start..)?;
        let is_stop = |(at, b): (usize, &u8)| {
            *b == quote || *b == b'<' || *b == b'\n' && self.is_blank_line(start + at + 1)
        };
        let Some(len) = rest.iter().take(MAX_ADDRESS).enumerate().position(is_stop) else {
            self.unclosed = Some(Unclosed {
                start,
                close: char::from(quote),
            });
            return None;
        };
        (rest.get(len) == Some(&quote)).then_some(start + len)
    }

    /// Whether the tag that is open loads what its `href` names.
    fn is_loading_tag(&self) -> bool {
        let tag = self
            .tag
            .clone()
            .and_then(|t| self.text.get(t))
            .unwrap_or_default();
        ["link", "image", "use", "base", "feimage", "script"]
            .iter()
            .any(|t| tag.eq_ignore_ascii_case(t))
    }

    /// `url(address)` of a style.
    pub(super) fn css(&mut self, at: usize) -> Option<usize> {
        let is_url = self
            .bytes
            .get(at..at + 4)
            .is_some_and(|b| b.eq_ignore_ascii_case(b"url("));
        let is_start = at == 0
            || !self
                .bytes
                .get(at - 1)
                .is_some_and(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b));
        if !(is_url && is_start) {
            return None;
        }
        let mut start = self.skip_blanks(at + 4);
        let quote = self
            .bytes
            .get(start)
            .copied()
            .filter(|b| matches!(b, b'"' | b'\''));
        start += usize::from(quote.is_some());
        let rest = self.bytes.get(start..)?;
        let is_end = |b: &u8| quote.map_or(matches!(b, b')' | b' ' | b'\n'), |q| *b == q || *b == b'\n');
        let len = rest
            .iter()
            .take(MAX_ADDRESS)
            .position(is_end)
            .unwrap_or(rest.len().min(MAX_ADDRESS));
        let end = self.boundary(start + len);
        // In code `url(x)` is a call: an address has slashes or a colon.
        let value = self.text.get(start..end)?;
        let is_address = value.contains("//") || value.contains(':') || value.contains("\\\\");
        Some(if is_address {
            self.add(start..end, Form::Html, true)
        } else {
            end
        })
    }
}
