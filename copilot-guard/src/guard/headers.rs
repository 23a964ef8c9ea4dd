//! Which headers go up, and which come down.

use http::header::{self, HeaderMap, HeaderValue};

/// Never forwarded upstream: credentials, what belongs to one connection, what the guard decides itself.
const NEVER_UP: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "content-length",
    "accept-encoding",
    "content-encoding",
    "expect",
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "forwarded",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "keep-alive",
    "proxy-connection",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "ocp-apim-subscription-key",
    "x-goog-user-project",
];

/// Of upstream's headers only these come down, and those with one of the prefixes below.
const DOWN: &[&str] = &[
    "request-id",
    "x-request-id",
    "x-github-request-id",
    "retry-after",
    "openai-processing-ms",
    "openai-version",
    "x-copilot-experiment",
    "copilot-edits-session",
    "azureml-model-deployment",
    "mcp-session-id",
];
const DOWN_PREFIXES: &[&str] = &["x-ratelimit-", "anthropic-ratelimit-", "x-quota-snapshot-"];

/// The request's headers for upstream: unknown ones pass, credentials and connection headers do not, nor does any
/// that holds the client's token.
pub(crate) fn upward(headers: &HeaderMap, token: &str) -> HeaderMap {
    let mut up = HeaderMap::with_capacity(headers.len());
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(',').map(|n| n.trim().to_ascii_lowercase()))
        .collect();
    for (name, value) in headers {
        let own = name.as_str().starts_with("x-copilot-guard-");
        let listed = NEVER_UP.contains(&name.as_str()) || named.iter().any(|n| n == name.as_str());
        let leaks = !token.is_empty() && contains(value.as_bytes(), token.as_bytes());
        if !own && !listed && !leaks {
            up.append(name.clone(), value.clone());
        }
    }
    up.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    up.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    up
}

/// Upstream's headers for the client, without those in which `is_secret` finds something.
pub(crate) fn downward(headers: &HeaderMap, is_secret: impl Fn(&[u8]) -> bool) -> HeaderMap {
    let mut down = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        let listed = DOWN.contains(&text) || DOWN_PREFIXES.iter().any(|p| text.starts_with(p));
        if listed && !is_secret(value.as_bytes()) {
            down.append(name.clone(), value.clone());
        }
    }
    down
}

/// Whether a body is compressed, or may be: any field of `Content-Encoding` that says more than `identity`.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether an address holds the token, as it is or percent-encoded.
pub(crate) fn uri_holds(uri: &http::Uri, token: &str) -> bool {
    let text = uri.to_string();
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).unwrap_or_default());
                bytes = ahead;
            }
            _ => plain.push(byte),
        }
    }
    contains(text.as_bytes(), token.as_bytes()) || contains(&plain, token.as_bytes())
}

/// Whether `needle` occurs in `hay`.
pub(crate) fn contains(hay: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && hay.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn credentials_and_connection_headers_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer tok"),
            ("x-api-key", "tok"),
            ("cookie", "a=b"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("x-sneaky", "prefix tok suffix"),
            ("x-copilot-guard-decision", "allow"),
            ("accept-encoding", "gzip"),
            ("x-initiator", "user"),
            ("anthropic-version", "2023-06-01"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let up = upward(&headers, "tok");
        let mut names: Vec<_> = up
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "accept-encoding: identity",
                "anthropic-version: 2023-06-01",
                "content-type: application/json",
                "x-initiator: user"
            ]
        );
    }

    #[test]
    fn only_known_headers_come_down() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "s"),
            ("x-request-id", "1"),
            ("x-ratelimit-limit", "has-cred"),
            ("server", "x"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let down = downward(&headers, |v| contains(v, b"cred"));
        assert_eq!(down.len(), 1);
        assert!(down.contains_key("x-request-id"));
    }
}
