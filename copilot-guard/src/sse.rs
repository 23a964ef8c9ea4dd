//! Server-sent events (WHATWG HTML, "Server-sent events"): a strict decoder and an encoder of our own.
//!
//! No upstream framing byte reaches a client: what is decoded here is written afresh, by [`encode`] or in its form.

use std::ops::Range;

/// One event. `id` and `retry` fields are dropped; no model stream uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Event<'a> {
    /// The `event` field; empty when there was none.
    pub name: &'a str,
    /// The `data` fields, joined by line feeds.
    pub data: &'a str,
}

/// Why a stream is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SseError {
    /// An event is longer than the limit.
    #[error("an event is longer than {0} bytes")]
    TooLong(usize),
    /// An event is not UTF-8.
    #[error("an event is not UTF-8")]
    NotUtf8,
}

/// Takes bytes in any cut and gives whole events, each a slice of its buffer.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// Bytes that were not given out yet, behind `taken` bytes that were.
    buffer: Vec<u8>,
    taken: usize,
    /// Where the current line begins, and how far its end was looked for.
    line: usize,
    looked: usize,
    name: Range<usize>,
    data: Data,
    /// The last line ended with CR: a LF right behind it belongs to the same line end.
    after_cr: bool,
    /// Nothing was read yet: a byte order mark may stand here.
    at_start: bool,
}

/// The `data` of the event that is being read.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One line, where it stands in the buffer.
    Line(Range<usize>),
    /// Several lines, joined.
    Lines(String),
}

impl Decoder {
    /// A decoder whose events may have `limit` bytes at most.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: Vec::new(),
            taken: 0,
            line: 0,
            looked: 0,
            name: 0..0,
            data: Data::None,
            after_cr: false,
            at_start: true,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            let taken = std::mem::take(&mut self.taken);
            self.buffer.drain(..taken);
            self.line -= taken;
            self.looked -= taken;
            if self.line == 0 {
                // What the last event held was given out.
                self.data = Data::None;
            }
            if let Data::Line(line) = &mut self.data {
                *line = line.start - taken..line.end - taken;
            }
            if !self.name.is_empty() {
                self.name = self.name.start - taken..self.name.end - taken;
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The stream is not acceptable; nothing more may be taken from it.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, SseError> {
        if self.taken == self.line {
            // What the last event held was given out.
            self.data = Data::None;
        }
        loop {
            if self.after_cr && self.line < self.buffer.len() {
                self.after_cr = false;
                if self.buffer[self.line] == b'\n' {
                    self.line += 1;
                    self.looked = self.line;
                }
            }
            let unseen = self.buffer.get(self.looked..).unwrap_or_default();
            let Some(end) = memchr::memchr2(b'\n', b'\r', unseen).map(|at| self.looked + at) else {
                self.looked = self.buffer.len();
                return if self.looked - self.taken > self.limit {
                    Err(SseError::TooLong(self.limit))
                } else {
                    Ok(None)
                };
            };
            if end - self.taken > self.limit {
                return Err(SseError::TooLong(self.limit));
            }
            self.after_cr = self.buffer[end] == b'\r';
            let line = self.line..end;
            (self.line, self.looked) = (end + 1, end + 1);
            if self.take_line(line)? {
                break;
            }
        }
        self.taken = self.line;
        let text = |range: Range<usize>| {
            let bytes = self.buffer.get(range).unwrap_or_default();
            std::str::from_utf8(bytes).map_err(|_| SseError::NotUtf8)
        };
        let name = text(std::mem::take(&mut self.name))?;
        let data = match &self.data {
            Data::None => "",
            Data::Line(line) => text(line.clone())?,
            Data::Lines(lines) => lines,
        };
        Ok(Some(Event { name, data }))
    }

    /// Bytes that were pushed and belong to no event that was given out.
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Whether a part of an event was read whose end has not come.
    pub fn is_mid_event(&self) -> bool {
        self.line < self.buffer.len() || (self.taken < self.line && !matches!(self.data, Data::None))
    }

    /// Takes one line, without its end. `true`: an event with data ends here.
    fn take_line(&mut self, line: Range<usize>) -> Result<bool, SseError> {
        let mut line = line;
        if std::mem::take(&mut self.at_start) && self.buffer[line.clone()].starts_with(b"\xef\xbb\xbf") {
            line.start += 3;
        }
        if line.is_empty() {
            let whole = !matches!(self.data, Data::None);
            if !whole {
                self.name = 0..0;
                self.taken = self.line;
            }
            return Ok(whole);
        }
        let bytes = &self.buffer[line.clone()];
        let colon = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        let mut value = line.start + (colon + 1).min(bytes.len())..line.end;
        if self.buffer[value.clone()].first() == Some(&b' ') {
            value.start += 1;
        }
        match &bytes[..colon] {
            b"data" => {
                let text = |range: Range<usize>| {
                    std::str::from_utf8(&self.buffer[range]).map_err(|_| SseError::NotUtf8)
                };
                match &mut self.data {
                    Data::None => self.data = Data::Line(value),
                    Data::Line(first) => {
                        let joined = format!("{}\n{}", text(first.clone())?, text(value)?);
                        self.data = Data::Lines(joined);
                    }
                    Data::Lines(lines) => {
                        lines.push('\n');
                        lines.push_str(text(value)?);
                    }
                }
            }
            b"event" => self.name = value,
            // Comments (an empty field name), `id`, `retry` and unknown fields carry nothing for a model stream.
            _ => {
                std::str::from_utf8(bytes).map_err(|_| SseError::NotUtf8)?;
            }
        }
        Ok(false)
    }
}

/// Appends one event. `data` must have no line breaks (JSON in its shortest form has none).
pub fn encode(name: &str, data: &str, out: &mut Vec<u8>) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut decoder = Decoder::new(1 << 16);
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(Event { name, data }) = decoder.next_event().unwrap() {
                events.push((name.to_owned(), data.to_owned()));
            }
        }
        events
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn reads_the_forms_the_standard_allows() {
        let text =
            "\u{feff}: hi\r\nevent: a\rdata:1\ndata: 2\n\nid: 7\nretry: 1\n\ndata\n\n: c\n\ndata:  x\r\n\r\n";
        assert_eq!(
            decode(&[text.as_bytes()]),
            [event("a", "1\n2"), event("", ""), event("", " x")]
        );
    }

    #[test]
    fn refuses_long_and_broken() {
        for (bytes, error) in [
            (&[b'a'; 25][..], SseError::TooLong(24)),
            (b"data: 1\ndata: 2\ndata: 3\ndata: 4\n\n", SseError::TooLong(24)),
            (b"data: \xff\n\n", SseError::NotUtf8),
            (b"data: 1\ndata: \xff\n\n", SseError::NotUtf8),
            (b"event: \xff\ndata: 1\n\n", SseError::NotUtf8),
            (b": \xff\n", SseError::NotUtf8),
        ] {
            let mut decoder = Decoder::new(24);
            decoder.push(bytes);
            assert_eq!(decoder.next_event(), Err(error));
        }
        // The limit is an event's, not the stream's.
        let mut decoder = Decoder::new(24);
        decoder.push(&b"data: 12345678\n\n".repeat(4));
        for _ in 0..4 {
            assert_eq!(
                decoder.next_event(),
                Ok(Some(Event {
                    name: "",
                    data: "12345678"
                }))
            );
        }
        assert_eq!(decoder.next_event(), Ok(None));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_events(text in "(data: ?[a-z:é]{0,4}|event:x|:c|)(\r\n|\r|\n){1,2}(data:[a-z]{0,3}(\r|\n|\r\n)){0,3}(\r|\n|\r\n){0,3}",
                                         cut in 0usize..40) {
            let bytes = text.as_bytes();
            let whole = decode(&[bytes]);
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(&decode(&[a, b]), &whole);
            let singles: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&decode(&singles), &whole);
        }
    }
}
