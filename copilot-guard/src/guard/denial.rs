//! Replies the guard writes itself.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::dialect::{Dialect, error_body};
use crate::id::ExchangeId;

/// Names the exchange on every reply.
pub const EXCHANGE_HEADER: HeaderName = HeaderName::from_static("x-copilot-guard-exchange");
/// Says what was decided when the head left: `allow`, `mask`, `block`, `pending`, `denied` or `expired`.
pub const DECISION_HEADER: HeaderName = HeaderName::from_static("x-copilot-guard-decision");
/// Copilot clients take no reply without it for GitHub's.
pub const GITHUB_REQUEST_ID: HeaderName = HeaderName::from_static("x-github-request-id");

/// A refusal, in the caller's dialect, or an answer that everybody gets. Holds no content of the request.
#[derive(Debug, Clone)]
pub struct Denial {
    pub(crate) exchange: ExchangeId,
    pub(crate) dialect: Dialect,
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) decision: Option<&'static str>,
    /// A whole reply body instead of an error: the assistant-text form.
    pub(crate) body: Option<(&'static str, String)>,
    pub(crate) retry_after: Option<HeaderValue>,
    /// Not a refusal at all, but an answer that everybody gets.
    answer: Option<Box<Response<Bytes>>>,
}

impl Denial {
    /// A reply that is the same for everybody, so that nobody was asked who they are.
    pub(crate) fn reply(exchange: ExchangeId, response: Response<Bytes>) -> Self {
        let mut reply = Self::new(exchange, Dialect::Chat, response.status(), "answered_here", "");
        reply.answer = Some(Box::new(response));
        reply
    }

    pub(crate) fn new(
        exchange: ExchangeId,
        dialect: Dialect,
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            exchange,
            dialect,
            status,
            code,
            message: message.into(),
            decision: None,
            body: None,
            retry_after: None,
            answer: None,
        }
    }

    #[must_use]
    pub(crate) fn with_decision(mut self, decision: &'static str) -> Self {
        self.decision = Some(decision);
        self
    }

    /// Says how to go on, where a client shows its user an error and keeps what was refused in the conversation.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        let is_chat = matches!(
            self.dialect,
            Dialect::Chat | Dialect::Responses | Dialect::Messages
        );
        if is_chat && self.body.is_none() {
            self.message = format!("{} {hint}", self.message);
        }
        self
    }

    /// The exchange it belongs to.
    pub fn exchange(&self) -> ExchangeId {
        self.exchange
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// A stable code such as `blocked_by_policy`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The reply.
    pub fn into_response(self) -> Response<Bytes> {
        if let Some(answer) = self.answer {
            return *answer;
        }
        let (content_type, body) = self.body.unwrap_or_else(|| {
            let exchange = self.exchange.to_string();
            let body = error_body(
                self.dialect,
                self.status.as_u16(),
                self.code,
                &self.message,
                &exchange,
            );
            ("application/json", body)
        });
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        stamp(response.headers_mut(), self.exchange, self.decision);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750, section 3.
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response
                .headers_mut()
                .insert(http::header::WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            // RFC 9110, section 11.7.1. `Basic` is the one that every client with a proxy address can send.
            let challenge = HeaderValue::from_static("Basic realm=\"copilot-guard\"");
            response
                .headers_mut()
                .insert(http::header::PROXY_AUTHENTICATE, challenge);
        }
        if let Some(retry_after) = self.retry_after {
            response
                .headers_mut()
                .insert(http::header::RETRY_AFTER, retry_after);
        }
        response
    }
}

/// What to do about a refused message that stays in the conversation, in the words of the client at hand.
pub(crate) fn how_to_go_on(parts: &http::request::Parts) -> &'static str {
    let client = parts.headers.get(http::header::USER_AGENT);
    let client = client.and_then(|value| value.to_str().ok()).unwrap_or_default();
    match client {
        _ if client.starts_with("claude-cli/") => {
            "To go on, press Esc twice and change that message, or start anew with /clear."
        }
        _ if client.starts_with("copilot/") => "To go on, start anew with /clear.",
        _ if client.starts_with("codex") => {
            "To go on, press Esc twice and change that message, or start anew with /new."
        }
        _ if client.starts_with("opencode/") => {
            "To go on, take that message back with /undo, or start anew with /new."
        }
        _ if client.starts_with("GitHubCopilotChat/") => "To go on, edit that message, or start a new chat.",
        _ => {
            "To go on, start a new conversation, or take it out of this one: what was said before is sent again."
        }
    }
}

/// Puts the guard's own headers on a reply. `x-github-request-id` stays when upstream sent one.
pub(crate) fn stamp(headers: &mut http::HeaderMap, exchange: ExchangeId, decision: Option<&'static str>) {
    if let Ok(value) = HeaderValue::from_str(&exchange.to_string()) {
        headers.insert(EXCHANGE_HEADER, value.clone());
        headers.entry(GITHUB_REQUEST_ID).or_insert(value);
    }
    if let Some(decision) = decision {
        headers.insert(DECISION_HEADER, HeaderValue::from_static(decision));
    }
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
