//! What a client learns of an upstream that fails: a status, a code from a short list, never upstream's own words.

use http::{HeaderMap, StatusCode, header};

use super::denial::Denial;
use crate::dialect::Dialect;
use crate::id::ExchangeId;
use crate::json::{Document, Limits};

/// Codes that clients act on, and that say nothing of the upstream account.
const KNOWN_CODES: &[&str] = &[
    "context_length_exceeded",
    "model_not_found",
    "rate_limit_exceeded",
    "rate_limit_error",
    "overloaded_error",
    "invalid_request_error",
    "content_filter",
    "request_too_large",
    "max_tokens_exceeded",
];

/// How a reply of upstream is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A stream of events.
    Stream,
    /// One JSON text.
    Plain,
    /// An error status: the body is read for a known code only.
    Error,
    /// Nothing that can be passed on; the code is for the record.
    Refused(&'static str),
}

/// Decides from the head alone.
pub(super) fn shape(status: StatusCode, headers: &HeaderMap) -> Shape {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    if super::headers::is_encoded(headers) {
        return Shape::Refused("upstream_encoded");
    }
    if status.is_redirection() {
        return Shape::Refused("upstream_redirect");
    }
    if status.is_client_error() || status.is_server_error() {
        return Shape::Error;
    }
    let content_type = text(header::CONTENT_TYPE)
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match content_type.as_str() {
        _ if status != StatusCode::OK => Shape::Refused("upstream_status"),
        "text/event-stream" => Shape::Stream,
        "application/json" => Shape::Plain,
        _ => Shape::Refused("upstream_content_type"),
    }
}

/// The reply for an upstream that answered with an error status.
pub(super) fn denial(
    exchange: ExchangeId,
    dialect: Dialect,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Denial {
    let code = known_code(body);
    let (status, default, message) = match status.as_u16() {
        400 | 422 => (
            StatusCode::BAD_REQUEST,
            "upstream_bad_request",
            "The model endpoint finds the request invalid.",
        ),
        404 => (
            StatusCode::NOT_FOUND,
            "model_not_found",
            "The model endpoint does not know this model.",
        ),
        413 => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "request_too_large",
            "The request is too large for the model endpoint.",
        ),
        429 => (
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_exceeded",
            "The model endpoint's rate limit is reached. Wait a moment.",
        ),
        // 401 and 403 concern the gateway's own credential: nothing the client could mend.
        _ => (
            StatusCode::BAD_GATEWAY,
            "upstream_failed",
            "The model endpoint failed. Try again in a moment.",
        ),
    };
    let mut denial = Denial::new(exchange, dialect, status, code.unwrap_or(default), message);
    // Only a number of seconds: upstream's own words do not come down.
    denial.retry_after = headers
        .get(header::RETRY_AFTER)
        .filter(|v| {
            status != StatusCode::BAD_REQUEST && v.len() <= 6 && v.as_bytes().iter().all(u8::is_ascii_digit)
        })
        .cloned();
    denial
}

fn known_code(body: &[u8]) -> Option<&'static str> {
    let doc = Document::parse(body, Limits::default()).ok()?;
    let error = doc.root().get("error")?;
    let code = error.get_str("code").or_else(|| error.get_str("type"))?;
    KNOWN_CODES.iter().copied().find(|known| *known == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn upstream_words_do_not_come_down() {
        let exchange = ExchangeId::new(Timestamp::default(), [0; 10]);
        let body =
            br#"{"error":{"message":"key sk-abc is over quota for org X","code":"insufficient_quota"}}"#;
        for status in [400u16, 401, 403, 404, 429, 500, 503, 529] {
            let denial = denial(
                exchange,
                Dialect::Chat,
                StatusCode::from_u16(status).unwrap(),
                &HeaderMap::new(),
                body,
            );
            let text = format!("{:?}", denial.clone().into_response());
            assert!(
                !text.contains("sk-abc") && !text.contains("insufficient_quota"),
                "{text}"
            );
            assert!(!matches!(denial.status().as_u16(), 401 | 403), "{status}");
        }
        let body = br#"{"error":{"code":"context_length_exceeded"}}"#;
        let denial = denial(
            exchange,
            Dialect::Chat,
            StatusCode::BAD_REQUEST,
            &HeaderMap::new(),
            body,
        );
        assert_eq!(denial.code(), "context_length_exceeded");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(
            shape(StatusCode::OK, &headers),
            Shape::Refused("upstream_content_type")
        );
        headers.insert(
            header::CONTENT_TYPE,
            "text/event-stream; charset=utf-8".parse().unwrap(),
        );
        assert_eq!(shape(StatusCode::OK, &headers), Shape::Stream);
        assert_eq!(
            shape(StatusCode::FOUND, &headers),
            Shape::Refused("upstream_redirect")
        );
        assert_eq!(
            shape(StatusCode::NO_CONTENT, &headers),
            Shape::Refused("upstream_status")
        );
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(
            shape(StatusCode::OK, &headers),
            Shape::Refused("upstream_encoded")
        );
    }
}
