//! Token endpoints: what is asked of them, and a strict reading of what they answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Request, Response, StatusCode};
use zeroize::Zeroizing;

use super::{ASK, Credential, EARLY, LONGEST, SecretSource, UNSAID};
use crate::clock::Timestamp;
use crate::json::{Document, Limits, Value};
use crate::outbound::{
    Endpoint, Form, Fresh, HttpClient, OutboundError, percent_encode, send_within, wipe, wiped,
};
use crate::secret::Secret;

/// What the gateway calls itself.
pub(super) const AGENT: &str = concat!("copilot-guard/", env!("CARGO_PKG_VERSION"));
/// The largest answer of a token endpoint that is looked at.
const MAX_TOKEN_ANSWER: usize = 256 << 10;

/// The errors of RFC 6749, 5.2, and of RFC 8693, 2.2.2. Nothing else an endpoint says is written down.
const ERRORS: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
];

/// A token endpoint, the client that reaches it, and how the gateway authenticates there.
#[derive(Clone)]
pub struct TokenEndpoint {
    client: Arc<dyn HttpClient>,
    url: Endpoint,
    auth: Auth,
}

#[derive(Clone)]
enum Auth {
    /// The grant itself is the proof.
    Nothing,
    /// A public client.
    Id(String),
    Basic(String, SecretSource),
    Post(String, SecretSource),
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the client's secret cannot be read")]
    NoSecret,
    #[error("the assertion cannot be signed")]
    NotSigned,
    #[error(transparent)]
    Unreachable(#[from] OutboundError),
    /// Status, and one of the known errors.
    #[error("refused with status {0}: {1}")]
    Refused(u16, &'static str),
    #[error("the answer is not one of a token endpoint: {0}")]
    Malformed(&'static str),
}

impl Failure {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSecret => "secret_unavailable",
            Self::NotSigned => "assertion_not_signed",
            Self::Unreachable(_) => "token_endpoint_unreachable",
            Self::Refused(..) => "token_endpoint_refused",
            Self::Malformed(_) => "token_endpoint_malformed",
        }
    }

    /// For operators. Says nothing that the endpoint said in its own words.
    pub(super) fn log(&self, endpoint: &Endpoint) {
        let (code, error): (_, &dyn std::error::Error) = (self.code(), self);
        tracing::warn!(code, %endpoint, error, "no upstream credential was issued");
    }
}

/// A token as it was issued.
pub(super) struct Granted {
    pub(super) token: Secret,
    lasts: Option<Duration>,
}

impl Granted {
    /// The token in its header, renewed ahead of its end, and never used at or after `no_later`.
    pub(super) fn keep(
        self,
        header: &http::HeaderName,
        no_later: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Fresh<Credential>, Failure> {
        let ends = now.plus(self.lasts.unwrap_or(UNSAID).min(LONGEST));
        let ends = no_later.map_or(ends, |no_later| ends.min(no_later));
        let credential = Credential::header(header.clone(), &self.token)
            .map_err(|_| Failure::Malformed("the token has characters that no header may hold"))?;
        Ok(Fresh::renewed_early(
            credential.with_expiry(ends),
            EARLY,
            ends,
            now,
        ))
    }
}

impl TokenEndpoint {
    /// Without authentication of the client.
    pub fn new(client: Arc<dyn HttpClient>, url: Endpoint) -> Self {
        Self {
            client,
            url,
            auth: Auth::Nothing,
        }
    }

    /// As a public client: only `client_id` is sent.
    #[must_use]
    pub fn with_client_id(mut self, id: impl Into<String>) -> Self {
        self.auth = Auth::Id(id.into());
        self
    }

    /// With id and secret in the `Authorization` header (`client_secret_basic`, which every server must know).
    #[must_use]
    pub fn with_basic(mut self, id: impl Into<String>, secret: SecretSource) -> Self {
        self.auth = Auth::Basic(id.into(), secret);
        self
    }

    /// With id and secret in the form (`client_secret_post`).
    #[must_use]
    pub fn with_post(mut self, id: impl Into<String>, secret: SecretSource) -> Self {
        self.auth = Auth::Post(id.into(), secret);
        self
    }

    pub(super) fn url(&self) -> &Endpoint {
        &self.url
    }

    /// Asks for a token. `issued_kinds`: the answer must name one of these (RFC 8693, 2.2.1).
    pub(super) async fn ask(
        &self,
        mut form: Form,
        issued_kinds: &[&str],
        now: Timestamp,
    ) -> Result<Granted, Failure> {
        let mut head = HeaderMap::new();
        match &self.auth {
            Auth::Nothing => {}
            Auth::Id(id) => form.add("client_id", id),
            Auth::Post(id, secret) => {
                let secret = secret.read(now).await.map_err(|_| Failure::NoSecret)?;
                form.add("client_id", id);
                form.add("client_secret", secret.expose());
            }
            Auth::Basic(id, secret) => {
                let secret = secret.read(now).await.map_err(|_| Failure::NoSecret)?;
                head.insert(AUTHORIZATION, basic(id, &secret)?);
            }
        }
        head.insert(ACCEPT, HeaderValue::from_static("application/json"));
        head.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        head.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let mut request = Request::post(self.url.as_str())
            .body(form.into_body())
            .map_err(|_| OutboundError::message("the request could not be built"))?;
        *request.headers_mut() = head;
        let response = send_within(&*self.client, request, ASK).await?;
        let granted = read_grant(&response, issued_kinds);
        wipe(response.into_body());
        granted
    }
}

/// Both parts are form-encoded first (RFC 6749, 2.3.1).
fn basic(id: &str, secret: &Secret) -> Result<HeaderValue, Failure> {
    let pair = Zeroizing::new(format!(
        "{}:{}",
        percent_encode(id).as_str(),
        percent_encode(secret.expose()).as_str()
    ));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    let mut text = Zeroizing::new(Vec::with_capacity(6 + encoded.len()));
    text.extend_from_slice(b"Basic ");
    text.extend_from_slice(encoded.as_bytes());
    let mut value = HeaderValue::from_maybe_shared(wiped(text)).map_err(|_| Failure::NoSecret)?;
    value.set_sensitive(true);
    Ok(value)
}

/// RFC 6749, 5.1 and 5.2.
fn read_grant(response: &Response<Bytes>, issued_kinds: &[&str]) -> Result<Granted, Failure> {
    with_object(response, |object| {
        let text = |name| object.get_str(name);
        let is_bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
        if !is_bearer {
            return Err(Failure::Malformed("`token_type` is not `Bearer`"));
        }
        if !issued_kinds.is_empty()
            && !text("issued_token_type").is_some_and(|kind| issued_kinds.contains(&&*kind))
        {
            return Err(Failure::Malformed(
                "`issued_token_type` is missing, or not what was asked for",
            ));
        }
        let lasts = match object.get("expires_in") {
            None => None,
            Some(value) => match value.as_u64() {
                None | Some(0) => {
                    return Err(Failure::Malformed("`expires_in` is not a positive whole number"));
                }
                Some(secs) => Some(Duration::from_secs(secs)),
            },
        };
        Ok(Granted {
            token: token_of(object, "access_token")?,
            lasts,
        })
    })
}

/// A member that is a token.
pub(super) fn token_of(object: Value<'_>, name: &str) -> Result<Secret, Failure> {
    let token = object.get_str(name).map(|text| Secret::new(text.into_owned()));
    token
        .filter(|token| !token.expose().is_empty() && token.expose().bytes().all(|b| b.is_ascii_graphic()))
        .ok_or(Failure::Malformed(
            "there is no token in it, or one that no header may hold",
        ))
}

/// Reads the object of a 200; of any other answer only a known error.
pub(super) fn with_object<T>(
    response: &Response<Bytes>,
    read: impl FnOnce(Value<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let limits = Limits::with_bytes(MAX_TOKEN_ANSWER);
    let document = Document::parse(response.body(), limits).ok();
    let object = document
        .as_ref()
        .map(Document::root)
        .filter(|root| root.is_object());
    if response.status() != StatusCode::OK {
        let said = object.and_then(|object| object.get_str("error"));
        let known = ERRORS.iter().find(|known| said.as_deref() == Some(**known));
        let status = response.status().as_u16();
        return Err(Failure::Refused(status, known.unwrap_or(&"no known error")));
    }
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|value| {
        let kind = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
    });
    match object {
        Some(object) if is_json => read(object),
        _ => Err(Failure::Malformed("it is not one strict JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, kind: &str, body: &str) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .header(CONTENT_TYPE, kind)
            .body(Bytes::from(body.to_owned()))
            .unwrap()
    }

    #[test]
    fn reads_what_the_rfc_says_and_nothing_else() {
        let json = "application/json; charset=utf-8";
        let good = r#"{"access_token":"a.b-c","token_type":"bearer","expires_in":3600,"scope":"x"}"#;
        let granted = read_grant(&response(200, json, good), &[]).unwrap();
        assert_eq!(granted.token.expose(), "a.b-c");
        assert_eq!(granted.lasts, Some(Duration::from_secs(3600)));
        let rows = [
            (200, "text/html", good),
            (200, json, ""),
            (200, json, "[]"),
            (200, json, r#"{"token_type":"Bearer"}"#),
            (200, json, r#"{"access_token":"","token_type":"Bearer"}"#),
            (200, json, r#"{"access_token":7,"token_type":"Bearer"}"#),
            (200, json, r#"{"access_token":"a\r\nb","token_type":"Bearer"}"#),
            (200, json, r#"{"access_token":"a b","token_type":"Bearer"}"#),
            (200, json, r#"{"access_token":"a"}"#),
            (200, json, r#"{"access_token":"a","token_type":"mac"}"#),
            (
                200,
                json,
                r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#,
            ),
            (
                200,
                json,
                r#"{"access_token":"a","token_type":"Bearer","expires_in":0}"#,
            ),
            (
                200,
                json,
                r#"{"access_token":"a","token_type":"Bearer","expires_in":-5}"#,
            ),
            (
                200,
                json,
                r#"{"access_token":"a","token_type":"Bearer","expires_in":1.5}"#,
            ),
            (
                200,
                json,
                r#"{"access_token":"a","token_type":"Bearer","expires_in":"9"}"#,
            ),
            (200, json, r#"{"access_token":"a","token_type":"Bearer"} x"#),
            (201, json, good),
            (302, json, good),
            (
                400,
                json,
                r#"{"error":"invalid_grant","error_description":"canary-words"}"#,
            ),
            (401, json, r#"{"error":"canary-words"}"#),
            (500, "text/html", "canary-words"),
        ];
        for (status, kind, body) in rows {
            let error = read_grant(&response(status, kind, body), &[]).err().unwrap();
            let text = format!("{error} {error:?} {}", error.code());
            assert!(!text.contains("canary"), "{text}");
        }
        let refused = response(400, json, r#"{"error":"invalid_grant"}"#);
        let error = read_grant(&refused, &[]).err().unwrap();
        assert_eq!(error.to_string(), "refused with status 400: invalid_grant");
    }

    #[test]
    fn an_exchanged_token_says_what_it_is() {
        let body = |kind: &str| {
            let body = format!(r#"{{"access_token":"a","token_type":"Bearer"{kind}}}"#);
            response(200, "application/json", &body)
        };
        assert!(read_grant(&body(r#","issued_token_type":"good""#), &["good"]).is_ok());
        for bad in [r#","issued_token_type":"refresh""#, ""] {
            assert!(read_grant(&body(bad), &["good"]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_ends_no_later_than_it_may() {
        let now = Timestamp::from_secs(1000);
        let ends = |lasts: Option<u64>, no_later: Option<i64>| {
            let granted = Granted {
                token: Secret::new("t"),
                lasts: lasts.map(Duration::from_secs),
            };
            let kept = granted.keep(&AUTHORIZATION, no_later.map(Timestamp::from_secs), now);
            kept.unwrap().ends.since(now).as_secs()
        };
        assert_eq!(ends(Some(3600), None), 3600);
        assert_eq!(ends(None, None), 300);
        assert_eq!(ends(Some(u64::MAX), None), 86400);
        assert_eq!(ends(Some(3600), Some(1050)), 50);
    }

    #[test]
    fn encodes_both_parts_of_basic() {
        let value = basic("a:b", &Secret::new("c d")).unwrap();
        let text = STANDARD.decode(&value.as_bytes()[6..]).unwrap();
        assert_eq!(text, b"a%3Ab:c%20d");
        assert!(value.is_sensitive());
    }
}
