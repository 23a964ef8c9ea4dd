//! What people do with their access at the gateway itself: tokens for tokens, grants for laptops, and giving them back.
//!
//! Some of these requests carry their credential in the body, as OAuth wants it. A shell asks [`Guard::own_call`] first,
//! reads at most [`MAX_OWN_BODY`] bytes, and hands them to [`Guard::answer_own`]. All others go the usual way.

mod grants;
mod withdraw;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

pub use withdraw::RevokeError;

pub(super) use withdraw::NotWithdrawn;

use super::denial::{Denial, stamp};
use super::session::{Admission, Identified};
use super::{Guard, TunnelToken, entropy, form, local, stranger, token_refusal};
use crate::clock::Timestamp;
use crate::dialect::{Dialect, Route, TokenExchange, Traffic};
use crate::id::ExchangeId;
use crate::json::quote;
use crate::secret::Secret;
use crate::token::TokenError;

/// Longest body of such a request: a token of the greatest length, and what stands around it.
pub const MAX_OWN_BODY: usize = 64 << 10;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What a token that is given for another may be (RFC 8693, section 3). What it is, its own bytes say.
const SUBJECT_TYPES: [&str; 4] = [
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:id_token",
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:refresh_token",
];
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A request whose credential is in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnCall(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// RFC 8693.
    Exchange,
    /// RFC 7009.
    Revoke,
    /// OpenID Connect Back-Channel Logout 1.0.
    Logout,
}

/// An error as OAuth writes it (RFC 6749, section 5.2).
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    /// It is on record already.
    recorded: bool,
}

fn refused(status: StatusCode, code: &'static str, message: &'static str) -> Refused {
    Refused {
        status,
        code,
        message,
        recorded: false,
    }
}

impl Guard {
    /// Whether a request is to be answered by [`answer_own`](Self::answer_own), once its body was read.
    pub fn own_call(&self, parts: &Parts) -> Option<OwnCall> {
        // Within a tunnel these paths are the far server's.
        if parts.method != Method::POST || parts.extensions.get::<TunnelToken>().is_some() {
            return None;
        }
        let has_credential = [AUTHORIZATION.as_str(), "x-api-key", "api-key"]
            .iter()
            .any(|name| parts.headers.contains_key(*name));
        match parts.uri.path() {
            "/copilot-guard/token" if is_form(parts) && !has_credential => Some(OwnCall(Kind::Exchange)),
            "/copilot-guard/revoke" => Some(OwnCall(Kind::Revoke)),
            "/copilot-guard/backchannel-logout" => Some(OwnCall(Kind::Logout)),
            _ => None,
        }
    }

    /// Answers such a request. `body` is `None` when it was longer than [`MAX_OWN_BODY`] or broke off.
    pub async fn answer_own(&self, call: OwnCall, parts: &Parts, body: Option<Bytes>) -> Response<Bytes> {
        let now = self.now();
        let exchange = ExchangeId::new(now, entropy());
        let pairs = body
            .filter(|_| is_form(parts))
            .and_then(|body| form::pairs(std::str::from_utf8(&body).ok()?));
        let answered = match (pairs, call.0) {
            (None, _) => Err(refused(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "send a form (application/x-www-form-urlencoded) of at most 64 KiB",
            )),
            (Some(pairs), Kind::Exchange) => return self.exchange_form(exchange, &pairs, parts, now).await,
            (Some(pairs), Kind::Revoke) => self.give_back(exchange, &pairs, parts, now).await,
            (Some(pairs), Kind::Logout) => self.log_out(exchange, &pairs, parts, now).await,
        };
        match answered {
            Ok(()) => local::reply(exchange, "application/json", "{}".to_owned()),
            Err(refused) => self.told(exchange, refused, parts),
        }
    }

    /// The answer of a refusal, which goes on record if it is not there yet.
    fn told(&self, exchange: ExchangeId, refused: Refused, parts: &Parts) -> Response<Bytes> {
        if !refused.recorded {
            let (status, code) = (refused.status, refused.code);
            let _ = self.refuse(exchange, Dialect::Chat, status, code, "", stranger(parts));
        }
        refused.into_response(exchange)
    }

    /// RFC 8693: a token in the body for one of the gateway's own.
    async fn exchange_form(
        &self,
        exchange: ExchangeId,
        pairs: &[(String, String)],
        parts: &Parts,
        now: Timestamp,
    ) -> Response<Bytes> {
        let token = match subject_token(pairs) {
            Ok(token) => token,
            Err(refused) => return self.told(exchange, refused, parts),
        };
        match self.verify_for_exchange(token, now).await {
            Ok(identity) => {
                let identified = Identified {
                    exchange,
                    route: own_route(Traffic::TokenExchange(TokenExchange::Plain)),
                    identity,
                    token: Secret::new(token),
                    now,
                };
                match self.exchange_token(&identified, TokenExchange::Plain).await {
                    Admission::Reply(response) => response,
                    Admission::Refuse(denial) => denial.into_response(),
                    // It makes no others.
                    Admission::Forward(_) | Admission::Hold(_) => {
                        refused(StatusCode::SERVICE_UNAVAILABLE, "server_error", "try again")
                            .into_response(exchange)
                    }
                }
            }
            Err(error) => self.refuse_own(exchange, &error, parts).into_response(exchange),
        }
    }

    /// Where the login command signs in.
    pub(super) fn login_hint(&self, exchange: ExchangeId, parts: &Parts) -> Denial {
        let hint = self.inner.settings.login.as_ref();
        match hint.and_then(|hint| serde_json::to_string(hint).ok()) {
            Some(body) => Denial::reply(exchange, local::reply(exchange, "application/json", body)),
            None => {
                let message =
                    "This gateway does not say where to sign in. Ask your administrator to set `[login]`.";
                let (status, code) = (StatusCode::NOT_FOUND, "no_login");
                self.refuse(exchange, Dialect::Chat, status, code, message, stranger(parts))
            }
        }
    }

    /// Records the refusal of a token in a body, and says what OAuth says.
    fn refuse_own(&self, exchange: ExchangeId, error: &TokenError, parts: &Parts) -> Refused {
        let _ = self.refuse_token(exchange, Dialect::Chat, error, stranger(parts));
        let (status, message) = token_refusal(error);
        let code = match status {
            StatusCode::UNAUTHORIZED => "invalid_token",
            StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
            _ => error.code(),
        };
        Refused {
            recorded: true,
            ..refused(status, code, message)
        }
    }
}

impl Refused {
    fn into_response(self, exchange: ExchangeId) -> Response<Bytes> {
        let Self {
            status,
            code,
            message,
            ..
        } = self;
        let body = format!(
            r#"{{"error":{},"error_description":{}}}"#,
            quote(code),
            quote(message)
        );
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        stamp(headers, exchange, None);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            headers.insert(http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

pub(super) fn own_route(traffic: Traffic) -> Route {
    Route {
        upstream: String::new(),
        traffic,
        dialect: traffic.dialect(),
        model: None,
    }
}

fn is_form(parts: &Parts) -> bool {
    let kind = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.and_then(|kind| kind.split(';').next()).is_some_and(|kind| {
        kind.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// The value of a name that stands there once.
fn one<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let mut values = pairs
        .iter()
        .filter(|(n, _)| n == name)
        .map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value),
        _ => None,
    }
}

fn subject_token(pairs: &[(String, String)]) -> Result<&str, Refused> {
    let bad = |message| Err(refused(StatusCode::BAD_REQUEST, "invalid_request", message));
    let mut names: Vec<_> = pairs.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return bad("a parameter stands there twice");
    }
    match one(pairs, "grant_type") {
        Some(GRANT_TYPE) => {}
        Some(_) => {
            let message = "`grant_type` must be urn:ietf:params:oauth:grant-type:token-exchange";
            return Err(refused(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                message,
            ));
        }
        None => return bad("`grant_type` is missing"),
    }
    let is_known = one(pairs, "subject_token_type").is_some_and(|kind| SUBJECT_TYPES.contains(&kind));
    if !is_known {
        return bad("`subject_token_type` must be that of an access token, an ID token or a JWT");
    }
    if one(pairs, "requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return bad("`requested_token_type` can only be that of an access token");
    }
    if pairs.iter().any(|(name, _)| name.starts_with("actor_token")) {
        return bad("no token is given on behalf of somebody else");
    }
    one(pairs, "subject_token").map_or_else(|| bad("`subject_token` is missing"), Ok)
}
