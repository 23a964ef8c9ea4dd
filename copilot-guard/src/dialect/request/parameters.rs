//! What stands beside the texts of a request: the members of its root.

use std::collections::BTreeMap;

use super::ParsedRequest;
use crate::json::{Value, quote};

/// A member's longest value that is given out.
const MAX_VALUE: usize = 256;

impl ParsedRequest {
    /// The members of the request's root with their values as JSON: strings without needless escapes, numbers as they
    /// are written. Of a list or object, and of what is longer than 256 bytes, the name alone: its texts are
    /// [`parts`](Self::parts).
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let doc = self.parsed.of(&self.body);
        let member = |(name, value): (std::borrow::Cow<'_, str>, Value<'_>)| {
            let text = match value.as_str() {
                Some(text) => quote(&text),
                None if value.is_array() || value.is_object() => String::new(),
                None => value.raw().to_owned(),
            };
            let text = if text.len() > MAX_VALUE {
                String::new()
            } else {
                text
            };
            (name.into_owned(), text)
        };
        doc.root().entries().map(member).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::Dialect;
    use crate::json::Limits;

    #[test]
    fn members_of_the_root_and_nothing_below() {
        let long = "x".repeat(300);
        let body = format!(
            r#"{{"model":"m","messages":[],"st\u006fre":true,"n":2.0,"user":"\u0061","tools":[{{"a":1}}],"stop":null,"x":"{long}"}}"#
        );
        let request = Dialect::Chat
            .parse_request(body.as_bytes(), None, Limits::default())
            .unwrap();
        let all = request.parameters();
        let of = |name: &str| all.get(name).map(String::as_str);
        assert_eq!(
            (of("store"), of("n"), of("user")),
            (Some("true"), Some("2.0"), Some(r#""a""#))
        );
        assert_eq!(
            (of("stop"), of("tools"), of("x"), of("a")),
            (Some("null"), Some(""), Some(""), None)
        );
    }
}
