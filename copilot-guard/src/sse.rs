//! Server-sent events (WHATWG HTML, "Server-sent events"): a strict decoder and an encoder of our own.
//!
//! No upstream framing byte reaches a client: what is decoded here is written afresh by [`encode`].

/// One event. `id` and `retry` fields are dropped; no model stream uses them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The `event` field; empty when there was none.
    pub name: String,
    /// The `data` fields, joined by line feeds.
    pub data: String,
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

/// Takes bytes in any cut and gives whole events.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The last byte was a CR: a LF right behind it belongs to the same line end.
    after_cr: bool,
    /// Nothing was read yet: a byte order mark may stand here.
    at_start: bool,
}

impl Decoder {
    /// A decoder whose events may have `limit` bytes at most.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            event: Event::default(),
            has_data: false,
            after_cr: false,
            at_start: true,
        }
    }

    /// Takes the next bytes and appends the events that end in them.
    ///
    /// # Errors
    /// The stream is not acceptable; nothing more may be taken from it.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        while !bytes.is_empty() {
            if self.after_cr {
                self.after_cr = false;
                if bytes.first() == Some(&b'\n') {
                    bytes = &bytes[1..];
                    continue;
                }
            }
            let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                return self.extend(bytes);
            };
            self.extend(&bytes[..end])?;
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.line_end(events)?;
        }
        Ok(())
    }

    /// Whether a part of an event was read whose end has not come.
    pub fn is_mid_event(&self) -> bool {
        self.has_data || !self.line.is_empty()
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        if self.line.len() + self.event.data.len() + bytes.len() > self.limit {
            return Err(SseError::TooLong(self.limit));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn line_end(&mut self, events: &mut Vec<Event>) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        let mut text = std::str::from_utf8(&line).map_err(|_| SseError::NotUtf8)?;
        if std::mem::take(&mut self.at_start) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                events.push(event);
            }
            return Ok(());
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            // Comments (an empty field name), `id`, `retry` and unknown fields carry nothing for a model stream.
            _ => {}
        }
        Ok(())
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

    fn decode(chunks: &[&[u8]]) -> Vec<Event> {
        let mut decoder = Decoder::new(1 << 16);
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk, &mut events).unwrap();
        }
        events
    }

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.into(),
            data: data.into(),
        }
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
        let mut decoder = Decoder::new(16);
        assert_eq!(
            decoder.push(&[b'a'; 17], &mut Vec::new()),
            Err(SseError::TooLong(16))
        );
        let mut decoder = Decoder::new(16);
        assert_eq!(
            decoder.push(b"data: \xff\n", &mut Vec::new()),
            Err(SseError::NotUtf8)
        );
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
