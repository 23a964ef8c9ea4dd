//! `application/x-www-form-urlencoded` bodies that may hold secrets.

use bytes::Bytes;
use zeroize::Zeroizing;

/// The largest body that is built without moving it in memory.
const ROOM: usize = 8 << 10;

/// A form. Its memory is wiped.
pub(crate) struct Form {
    bytes: Zeroizing<Vec<u8>>,
}

impl Form {
    pub(crate) fn new() -> Self {
        // A buffer that grows leaves copies behind that nobody wipes.
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(ROOM)),
        }
    }

    /// Adds a field.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        let most = self.bytes.len() + 3 * (name.len() + value.len()) + 2;
        if most > self.bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(most * 2));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        if !self.bytes.is_empty() {
            self.bytes.push(b'&');
        }
        encode_into(name, &mut self.bytes);
        self.bytes.push(b'=');
        encode_into(value, &mut self.bytes);
    }

    pub(crate) fn into_body(self) -> Bytes {
        super::wiped(self.bytes)
    }
}

/// The value with everything but letters, digits and `-._~` as `%XX`: good in a path, a query and a form.
pub(crate) fn percent_encode(text: &str) -> Zeroizing<String> {
    let mut bytes = Vec::with_capacity(text.len() * 3);
    encode_into(text, &mut bytes);
    // Only ASCII was written.
    Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())
}

fn encode_into(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_all_that_could_mean_something() {
        let mut form = Form::new();
        form.add("a", "x y&b=c+%\u{e9}/");
        form.add("d", "A-z_.~9");
        assert_eq!(form.into_body(), "a=x%20y%26b%3Dc%2B%25%C3%A9%2F&d=A-z_.~9");
        assert_eq!(percent_encode("..//@").as_str(), "..%2F%2F%40");
        let mut large = Form::new();
        let value = "&".repeat(ROOM);
        large.add("a", &value);
        large.add("b", "c");
        assert_eq!(large.into_body().len(), 2 + 3 * ROOM + 4);
    }
}
