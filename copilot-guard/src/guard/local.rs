//! What the gateway answers itself: token exchange, what clients ask before they work, and what they report.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::denial::{Denial, stamp};
use super::session::{Admission, Identified};
use super::settings::CopilotEndpoints;
use super::{Guard, entropy};
use crate::audit::{Actor, AuditEvent, Closing, EventKind, Opening, Outcome};
use crate::decision::Action;
use crate::dialect::{StaticReply, TokenExchange};
use crate::id::ExchangeId;
use crate::json::quote;
use crate::token::Issued;

/// How long before its end a client should ask for the next token, in seconds.
const REFRESH_AHEAD: i64 = 60;

impl Guard {
    /// Hands out a gateway token, or says where the endpoints are. Who gets a token is on record before it leaves.
    pub(super) async fn exchange_token(&self, identified: &Identified, form: TokenExchange) -> Admission {
        let exchange = identified.exchange;
        let endpoints = self.inner.settings.copilot_endpoints.as_ref();
        let body = match (form, endpoints) {
            (TokenExchange::User, Some(endpoints)) => user(&identified.identity.subject, endpoints),
            (TokenExchange::Copilot | TokenExchange::User, None) => {
                let message = "This gateway does not say where Copilot's endpoints are. Ask your administrator to set the gateway's public address.";
                let denial = Denial::new(
                    exchange,
                    identified.route.dialect,
                    StatusCode::NOT_FOUND,
                    "no_public_address",
                    message,
                );
                return self.refuse_identified(identified, denial, "").await;
            }
            (TokenExchange::Copilot | TokenExchange::Plain, endpoints) => {
                let issued =
                    self.inner
                        .gateway_tokens
                        .issue(&identified.identity, &entropy(), identified.now);
                match (issued, endpoints.filter(|_| form == TokenExchange::Copilot)) {
                    (Ok(issued), Some(endpoints)) => envelope(&issued, identified, endpoints),
                    (Ok(issued), None) => plain(&issued, identified),
                    (Err(error), _) => {
                        let denial = self.token_denial(exchange, identified.route.dialect, &error);
                        return self.refuse_identified(identified, denial, "").await;
                    }
                }
            }
        };
        if form != TokenExchange::User && self.record_own(identified).await.is_err() {
            return Admission::Refuse(self.not_recorded(identified));
        }
        Admission::Reply(reply(exchange, "application/json", body))
    }

    /// That somebody got a token or a grant, without it.
    pub(super) async fn record_own(&self, identified: &Identified) -> Result<(), super::writer::NotRecorded> {
        let opening = Opening {
            actor: Actor::from(&*identified.identity),
            upstream: identified.route.upstream.clone(),
            dialect: identified.route.traffic.as_str().to_owned(),
            model: String::new(),
            stream: false,
            session: None,
            user_agent: None,
            decision: Action::Allow,
            hits: Vec::new(),
            policy_version: self.version_of(&self.policy()).to_string(),
            not_scanned: Vec::new(),
            masks: Vec::new(),
            approval: None,
            digest: String::new(),
            request: String::new(),
        };
        let closing = Closing::new(Outcome::Completed, 200, Action::Allow);
        let (exchange, at) = (identified.exchange, identified.now);
        let opened = AuditEvent::new(exchange, 0, at, EventKind::Opened(Box::new(opening)));
        let closed = AuditEvent::new(exchange, 1, at, EventKind::Closed(Box::new(closing)))
            .under(opened.policy.as_deref());
        let events = vec![opened, closed];
        self.inner.writer.append(events).await
    }
}

/// The reply to what a client reports of itself: taken, and thrown away.
pub(super) fn telemetry(exchange: ExchangeId) -> Response<Bytes> {
    let body = r#"{"itemsReceived":1,"itemsAccepted":1,"errors":[]}"#;
    reply(exchange, "application/json", body.to_owned())
}

/// The reply that everybody gets.
pub(super) fn fixed(exchange: ExchangeId, what: StaticReply) -> Response<Bytes> {
    let body = match what {
        // The language server breaks every request when `Configs` is missing.
        StaticReply::Experiments => {
            r#"{"Features":[],"Flights":{},"Configs":[],"ParameterGroups":[],"FlightingVersion":0,"ImpressionId":"","AssignmentContext":""}"#
        }
        StaticReply::ContentExclusion => "[]",
        // The language server takes every chat for failed when the lists are missing.
        StaticReply::EmbeddingModels => r#"{"models":[]}"#,
        StaticReply::Agents => r#"{"agents":[]}"#,
        StaticReply::AgentMemory => r#"{"enabled":false}"#,
        StaticReply::McpRegistry => r#"{"mcp_registries":[]}"#,
        StaticReply::Nothing => "{}",
        StaticReply::Ping => r#"{"status":"ok"}"#,
    };
    reply(exchange, "application/json", body.to_owned())
}

pub(super) fn reply(exchange: ExchangeId, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    stamp(response.headers_mut(), exchange, None);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn seconds_left(issued: &Issued, identified: &Identified) -> i64 {
    (issued.expires_at.as_millis() - identified.now.as_millis()).div_euclid(1000)
}

/// A successful response of RFC 6749, section 5.1.
fn plain(issued: &Issued, identified: &Identified) -> String {
    format!(
        r#"{{"access_token":{},"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":{}}}"#,
        quote(issued.token.expose()),
        seconds_left(issued, identified)
    )
}

/// GitHub's reply to editors, with the gateway's token and endpoints in the place of its own.
fn envelope(issued: &Issued, identified: &Identified, endpoints: &CopilotEndpoints) -> String {
    let left = seconds_left(issued, identified);
    format!(
        r#"{{"token":{},"expires_at":{},"refresh_in":{},"sku":"copilot_enterprise_seat","individual":false,"chat_enabled":true,"code_quote_enabled":false,"copilotignore_enabled":false,"codesearch":false,"annotations_enabled":false,"public_suggestions":"enabled","telemetry":"disabled","tracking_id":"","organization_list":[],"enterprise_list":[],"limited_user_quotas":null,"limited_user_reset_date":null,"endpoints":{}}}"#,
        quote(issued.token.expose()),
        issued.expires_at.as_millis().div_euclid(1000),
        (left - REFRESH_AHEAD).max(left / 2),
        endpoints.to_json(),
    )
}

fn user(subject: &str, endpoints: &CopilotEndpoints) -> String {
    format!(
        r#"{{"login":{},"access_type_sku":"copilot_enterprise_seat","analytics_tracking_id":"","assigned_date":null,"can_signup_for_limited":false,"chat_enabled":true,"copilot_plan":"enterprise","organization_login_list":[],"organization_list":[],"endpoints":{}}}"#,
        quote(subject),
        endpoints.to_json(),
    )
}
