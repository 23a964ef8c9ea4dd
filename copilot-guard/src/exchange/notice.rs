//! Visible texts that stand for something withheld, and how this guard knows its own again when a client sends them
//! back with the conversation.
//!
//! A notice ends with `(exchange ID.TAG)`. The tag is keyed, over the person, the exchange and the message: what another
//! person was told, and what was written by hand, is a text like any other.

use std::ops::Range;

use crate::detect::TagKey;

const OPEN: &str = "[copilot-guard] ";
const CLOSE: &str = "(exchange ";
/// Longest id and tag between [`CLOSE`] and its parenthesis.
const MAX_ID: usize = 100;

/// What stands in place of a notice on the way up: the model learns that something is missing, and no more.
pub const STOPPED: &str = "[The previous request was stopped by policy.]";

/// Makes and knows the notices of one person.
#[derive(Debug, Clone)]
pub struct NoticeKey(TagKey);

/// Writes the notices of one exchange.
#[derive(Debug, Clone)]
pub struct Notices {
    exchange: String,
    key: Option<NoticeKey>,
}

impl NoticeKey {
    /// The key of a person's notices. `subject` are the parts of who it is.
    pub fn of<P: AsRef<[u8]>>(key: &TagKey, subject: impl IntoIterator<Item = P>) -> Self {
        Self(key.derive("notices", subject))
    }

    fn tag(&self, exchange: &str, message: &str) -> String {
        // One after the other they would run together.
        let key = self.0.derive("notice", [exchange]);
        key.tag("message", [message]).to_string()
    }

    /// Where this person's genuine notices stand in a text.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut open = None;
        let mut scanned = 0;
        for (at, _) in text.match_indices(CLOSE) {
            let between = text.get(scanned..at).unwrap_or_default();
            open = between.rfind(OPEN).map(|start| scanned + start).or(open);
            scanned = at;
            // Each is tried once: a message holds no second end.
            let Some(start) = open.take() else { continue };
            if let Some(end) = self.end(text, start, at) {
                found.push(start..end);
            }
        }
        found
    }

    /// Where the notice from `start` with its id at `close` ends, if it is a genuine one.
    fn end(&self, text: &str, start: usize, close: usize) -> Option<usize> {
        let message = text.get(start + OPEN.len()..close)?.strip_suffix(' ')?;
        let id = text.get(close + CLOSE.len()..)?;
        let length = id.bytes().take(MAX_ID).position(|b| b == b')')?;
        let (exchange, tag) = id.get(..length)?.rsplit_once('.')?;
        let right = self.tag(exchange, message);
        let differing = right
            .bytes()
            .zip(tag.bytes())
            .fold(0, |all, (a, b)| all | (a ^ b));
        (right.len() == tag.len() && differing == 0).then_some(close + CLOSE.len() + length + 1)
    }

    /// The text with [`STOPPED`] for each genuine notice; `None` when it has none.
    pub fn without(&self, text: &str) -> Option<String> {
        let found = self.find(text);
        if found.is_empty() {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for range in found {
            out.push_str(text.get(at..range.start).unwrap_or_default());
            out.push_str(STOPPED);
            at = range.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        Some(out)
    }
}

impl Notices {
    /// Notices of this exchange, which are known again by `key`.
    pub fn signed(exchange: impl Into<String>, key: NoticeKey) -> Self {
        Self {
            exchange: exchange.into(),
            key: Some(key),
        }
    }

    /// The visible text for something withheld.
    pub fn text(&self, message: &str) -> String {
        let message = match message.trim_end() {
            "" => "This was stopped by your organisation's policy.",
            message => message,
        };
        let exchange = &self.exchange;
        match &self.key {
            Some(key) => {
                let tag = key.tag(exchange, message);
                format!("{OPEN}{message} {CLOSE}{exchange}.{tag})")
            }
            None => format!("{OPEN}{message} {CLOSE}{exchange})"),
        }
    }
}

/// Without a key: nobody knows them again.
impl From<String> for Notices {
    fn from(exchange: String) -> Self {
        Self { exchange, key: None }
    }
}

impl From<&str> for Notices {
    fn from(exchange: &str) -> Self {
        exchange.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> NoticeKey {
        NoticeKey::of(&TagKey::new([7; 32]), ["https://idp.example", name])
    }

    #[test]
    fn ones_own_is_known_again() {
        let dev = key("dev");
        for message in ["Falcon stays.", "", "two\nlines ", "é [x] (y) z", "[copilot"] {
            let notice = Notices::signed("ex-1", dev.clone()).text(message);
            for (before, after) in [
                ("", ""),
                ("said so far\n\n", ""),
                ("é", " and more"),
                (notice.as_str(), ""),
            ] {
                let text = format!("{before}{notice}{after}");
                let found = dev.find(&text);
                assert_eq!(
                    found.last().map(|r| r.end),
                    Some(before.len() + notice.len()),
                    "{text}"
                );
                let without = dev.without(&text).unwrap();
                assert!(
                    !without.contains(OPEN) && without.ends_with(&format!("{STOPPED}{after}")),
                    "{without}"
                );
            }
        }
    }

    #[test]
    fn what_is_forged_altered_or_anothers_is_a_text() {
        let dev = key("dev");
        let notice = Notices::signed("ex-1", dev.clone()).text("Falcon stays.");
        assert_eq!(
            dev.find(&notice),
            std::iter::once(0..notice.len()).collect::<Vec<_>>()
        );
        let other = Notices::signed("ex-1", key("other")).text("Falcon stays.");
        let mut forged = vec![
            other,
            Notices::from("ex-1").text("Falcon stays."),
            notice.replace("stays", "flies"),
            notice.replace("ex-1", "ex-2"),
            notice.replace("Falcon", "a [copilot-guard] b Falcon"),
            notice.replace('.', ""),
            notice.replace(')', ""),
            notice.replace(" (", "  ("),
            notice.replace(")", "a)"),
        ];
        // Each character of the tag counts.
        for at in notice.len() - 9..notice.len() - 1 {
            let mut bytes = notice.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            forged.push(String::from_utf8(bytes).unwrap());
        }
        for text in forged {
            assert_eq!(dev.without(&text), None, "{text}");
        }
    }

    /// With anything but linear time this would take hours.
    #[test]
    fn long_texts_take_linear_time() {
        let dev = key("dev");
        for unit in [OPEN, CLOSE, "(exchange a.b) ", "[copilot-guard] (exchange a.b)"] {
            assert_eq!(dev.without(&unit.repeat(20_000)), None);
        }
        let text = format!("{OPEN}{}", "(exchange a.b)".repeat(100_000));
        assert_eq!(dev.without(&text), None);
    }
}
