//! What people do with their access at the gateway itself: tokens for tokens, grants for laptops, and giving them back.
//!
//! Some of these requests carry their credential in the body, as OAuth wants it. A shell asks [`Guard::own_call`] first,
//! reads at most [`MAX_OWN_BODY`] bytes, and hands them to [`Guard::answer_own`]. All others go the usual way.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::catch::catch_async;
use super::denial::{Denial, stamp};
use super::session::{Admission, Identified};
use super::{Guard, TunnelToken, entropy, form, local, stranger, token_refusal};
use crate::access::{DeviceGrant, GrantHash, Revocation, Withdrawn, new_grant};
use crate::audit::{Actor, AuditEvent, EventKind, Withdrawal};
use crate::clock::Timestamp;
use crate::dialect::{Dialect, Route, TokenExchange, Traffic};
use crate::id::ExchangeId;
use crate::identity::{CallerKind, Identity};
use crate::json::quote;
use crate::secret::Secret;
use crate::token::{GatewayTokens, TokenError};

/// Longest body of such a request: a token of the greatest length, and what stands around it.
pub const MAX_OWN_BODY: usize = 64 << 10;

/// Most device grants of one person at a time.
const MOST_GRANTS: usize = 64;
/// How far the clock of an identity provider may be behind, at most.
const LEEWAY: Duration = Duration::from_secs(300);
/// For as long as a revocation is kept at most.
const FAR: Timestamp = Timestamp::from_millis(i64::MAX);

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

/// Why access was not taken back, or not wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotWithdrawn {
    /// It counts here and now, but the store did not keep it.
    Unkept,
    /// It is in force, but not on record.
    Unrecorded,
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

    /// Whom a device grant names, as the identity provider knows them now.
    pub(super) async fn redeem(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let hash = GrantHash::of(token);
        let found = AssertUnwindSafe(self.inner.revoked.store().find_grant(&hash, now));
        let grant = match catch_async(found).await {
            Some(Ok(grant)) => grant.ok_or(TokenError::Invalid("grant_unknown"))?,
            Some(Err(error)) => {
                tracing::error!(%error, "device grants cannot be read");
                return Err(TokenError::RevocationsUnavailable);
            }
            None => return Err(TokenError::RevocationsUnavailable),
        };
        // The store's word on the time is not taken.
        if grant.expires_at <= now || grant.hash != hash {
            return Err(TokenError::Invalid("grant_unknown"));
        }
        let renewed = AssertUnwindSafe(self.inner.verifier.renew(grant.identity, now));
        let renewed = catch_async(renewed).await;
        renewed.unwrap_or(Err(TokenError::Unavailable))
    }

    /// A grant for the laptop of somebody who has just signed in.
    pub(super) async fn grant_device(&self, identified: &Identified) -> Admission {
        let (exchange, dialect) = (identified.exchange, identified.route.dialect);
        let refused =
            |code, message: &str| Denial::new(exchange, dialect, StatusCode::BAD_REQUEST, code, message);
        let lifetime = self.inner.settings.grant_lifetime;
        let token = identified.token.expose();
        let denial = if lifetime.is_zero() {
            Some(refused(
                "no_device_grants",
                "This gateway gives no device grants.",
            ))
        } else if GatewayTokens::is_one(token) {
            // It would outlive what it was made from by weeks.
            Some(refused(
                "not_a_login",
                "A device grant needs a token of your identity provider: sign in again.",
            ))
        } else if identified.identity.kind == CallerKind::Machine {
            Some(refused(
                "not_a_person",
                "A program gets no device grant: exchange its token for each job.",
            ))
        } else {
            None
        };
        if let Some(denial) = denial {
            return self.refuse_identified(identified, denial, "").await;
        }
        let mut random = zeroize::Zeroizing::new([0; 32]);
        if getrandom::fill(random.as_mut_slice()).is_err() {
            return Admission::Refuse(unavailable(exchange, dialect));
        }
        let person = &identified.identity.person;
        let store = self.inner.revoked.store();
        match catch_async(AssertUnwindSafe(store.grants(Some(person), identified.now))).await {
            Some(Ok(grants)) if grants.len() >= MOST_GRANTS => {
                let message = "You have as many device grants as you may. Use `logout` where you need none any more, or ask your administrator to withdraw them.";
                let denial = refused("too_many_device_grants", message);
                return self.refuse_identified(identified, denial, "").await;
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Admission::Refuse(unavailable(exchange, dialect)),
        }
        let made = new_grant(&identified.identity, &random, lifetime, identified.now);
        // On record before it can be used.
        if self.record_own(identified).await.is_err() {
            return Admission::Refuse(self.not_recorded(identified));
        }
        let kept = AssertUnwindSafe(self.inner.revoked.store().put_grant(&made.grant));
        if !matches!(catch_async(kept).await, Some(Ok(()))) {
            return Admission::Refuse(unavailable(exchange, dialect));
        }
        let lasts = made.grant.expires_at.since(identified.now).as_secs();
        let body = format!(
            r#"{{"device_grant":{},"id":{},"expires_in":{lasts}}}"#,
            quote(made.secret.expose()),
            quote(&made.grant.id),
        );
        Admission::Reply(local::reply(exchange, "application/json", body))
    }

    /// RFC 7009: who holds a token may give it back. Of one that is none, nobody is told.
    async fn give_back(
        &self,
        exchange: ExchangeId,
        pairs: &[(String, String)],
        parts: &Parts,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let token = one(pairs, "token").ok_or(refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "`token` is missing, or stands there twice",
        ))?;
        if DeviceGrant::is_one(token) {
            return self.give_grant_back(exchange, token, parts, now).await;
        }
        let identity = match self.verify(token, now).await {
            Ok(identity) => identity,
            Err(error) if error.is_unavailable() => return Err(self.refuse_own(exchange, &error, parts)),
            Err(error) => {
                // Recorded, yet the answer is the same: it does not work any more.
                let _ = self.refuse_own(exchange, &error, parts);
                return Ok(());
            }
        };
        let ids: Vec<_> = if GatewayTokens::is_one(token) {
            // Its own id stands last, behind those of what it was given for.
            identity.token_ids.last().cloned().into_iter().collect()
        } else {
            identity.token_ids.clone()
        };
        if ids.is_empty() {
            // RFC 7009, section 2.2.1. To say 200 would be a lie.
            let message = "this token has no id to withdraw it by";
            return Err(refused(
                StatusCode::BAD_REQUEST,
                "unsupported_token_type",
                message,
            ));
        }
        let what = ids.into_iter().map(|id| Withdrawn::Token { id }).collect();
        let by = Actor::from(&*identity);
        // No longer than it can be of use: whoever has a token could fill the list otherwise.
        let ends_at = identity.expires_at.plus(LEEWAY);
        self.withdraw_all(what, now, ends_at, "given back", Some(by), "owner")
            .await
            .map_err(|_| not_now())
    }

    /// A grant is given back by whoever holds it, whether or not it could be used just now.
    async fn give_grant_back(
        &self,
        exchange: ExchangeId,
        token: &str,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let hash = GrantHash::of(token);
        let store = self.inner.revoked.store();
        let found = catch_async(AssertUnwindSafe(store.find_grant(&hash, now))).await;
        let grant = match found {
            Some(Ok(Some(grant))) => grant,
            Some(Ok(None)) => {
                let _ = self.refuse_own(exchange, &TokenError::Invalid("grant_unknown"), parts);
                return Ok(());
            }
            Some(Err(_)) | None => return Err(not_now()),
        };
        let what = vec![Withdrawn::Token { id: grant.id }];
        let by = Actor::from(&grant.identity);
        let ends_at = grant.expires_at.plus(LEEWAY);
        let withdrawn = self
            .withdraw_all(what, now, ends_at, "given back", Some(by), "owner")
            .await;
        // Whatever became of the list: without its hash it is worth nothing.
        let removed = catch_async(AssertUnwindSafe(store.remove_grant(&hash))).await;
        match (withdrawn, removed) {
            (Ok(()), Some(Ok(_))) => Ok(()),
            _ => Err(not_now()),
        }
    }

    /// The identity provider says that somebody has logged out.
    async fn log_out(
        &self,
        exchange: ExchangeId,
        pairs: &[(String, String)],
        parts: &Parts,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let invalid = refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "`logout_token` is missing or not acceptable",
        );
        let Some(token) = one(pairs, "logout_token") else {
            return Err(invalid);
        };
        let verified = AssertUnwindSafe(self.inner.verifier.verify_logout(token, now));
        let token = match catch_async(verified)
            .await
            .unwrap_or(Err(TokenError::Unavailable))
        {
            Ok(token) => token,
            Err(error) if error.is_unavailable() => return Err(self.refuse_own(exchange, &error, parts)),
            Err(error) => {
                let _ = self.refuse_own(exchange, &error, parts);
                return Err(invalid);
            }
        };
        let (issuer, id) = (token.issuer.clone(), token.id.clone());
        if self.inner.revoked.was_taken(&issuer, &id, now) {
            return Err(invalid);
        }
        let account = token.subject.map(|subject| (issuer.clone(), subject));
        let what = match (token.session, account) {
            // Access tokens need not say of which session they are.
            (Some(session), Some((issuer, subject))) => vec![
                Withdrawn::Session { session },
                Withdrawn::Sessionless { issuer, subject },
            ],
            (Some(session), None) => vec![Withdrawn::Session { session }],
            (None, Some((issuer, subject))) => vec![Withdrawn::Account { issuer, subject }],
            (None, None) => return Err(invalid),
        };
        // Not now but then: the same message sent once more must not end a later login.
        let until = token.issued_at.min(now);
        let reason = "logged out at the identity provider";
        self.withdraw_all(what, until, FAR, reason, None, "logout")
            .await
            .map_err(|_| not_now())?;
        // Only now: what failed may be said again.
        self.inner.revoked.take(&issuer, &id, now);
        Ok(())
    }

    /// Takes access back: at once here, within seconds on every replica that shares the store, on open answers too.
    ///
    /// # Errors
    /// The store has not kept it yet, or it is not on record yet: both are tried again. On this replica it counts in
    /// either case.
    pub async fn revoke(&self, what: Withdrawn, reason: &str, by: Option<Actor>) -> Result<(), RevokeError> {
        let now = self.now();
        let done = self.withdraw(what, now, reason, by, "admin").await;
        done.map_err(|_| RevokeError)
    }

    pub(super) async fn withdraw(
        &self,
        what: Withdrawn,
        issued_until: Timestamp,
        reason: &str,
        by: Option<Actor>,
        through: &'static str,
    ) -> Result<(), NotWithdrawn> {
        self.withdraw_all(vec![what], issued_until, FAR, reason, by, through)
            .await
    }

    /// In a task of its own: who hangs up must not leave it half done, or off the record.
    async fn withdraw_all(
        &self,
        all: Vec<Withdrawn>,
        issued_until: Timestamp,
        ends_at: Timestamp,
        reason: &str,
        by: Option<Actor>,
        through: &'static str,
    ) -> Result<(), NotWithdrawn> {
        let (guard, reason) = (self.clone(), reason.to_owned());
        let task = tokio::spawn(async move {
            let mut outcome = Ok(());
            for what in all {
                let done = guard
                    .withdraw_one(what, issued_until, ends_at, &reason, by.clone(), through)
                    .await;
                outcome = outcome.and(done);
            }
            outcome
        });
        task.await.unwrap_or(Err(NotWithdrawn::Unrecorded))
    }

    async fn withdraw_one(
        &self,
        what: Withdrawn,
        issued_until: Timestamp,
        ends_at: Timestamp,
        reason: &str,
        by: Option<Actor>,
        through: &str,
    ) -> Result<(), NotWithdrawn> {
        let now = self.now();
        let withdrawal = Withdrawal {
            what: what.kind().to_owned(),
            name: what.to_string(),
            issued_until,
            reason: reason.to_owned(),
            by,
            through: through.to_owned(),
        };
        let revocation = Revocation::new(what, issued_until, now)
            .ending(ends_at)
            .because(reason);
        let kept = self.inner.revoked.revoke(&revocation).await;
        let event = EventKind::Revoked(Box::new(withdrawal));
        let event = AuditEvent::new(ExchangeId::new(now, entropy()), 0, now, event);
        let recorded = self.inner.writer.append(vec![event.clone()]).await;
        if recorded.is_err() {
            // It is in force, so it must come to be on record.
            self.inner.writer.send(vec![event]);
        }
        if let Err(error) = kept {
            tracing::error!(%error, "a revocation is not kept yet; it is tried again");
            return Err(NotWithdrawn::Unkept);
        }
        recorded.map_err(|_| NotWithdrawn::Unrecorded)
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

/// Access could not be taken back everywhere, or not on record: try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the revocation counts on this replica, but could not be kept or recorded: try again")]
pub struct RevokeError;

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

fn not_now() -> Refused {
    let message = "It could not be kept or recorded. Try again in a moment.";
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        message,
    )
}

fn unavailable(exchange: ExchangeId, dialect: Dialect) -> Denial {
    let message = "Device grants cannot be kept right now. Try again in a moment.";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Denial::new(exchange, dialect, status, "store_unavailable", message)
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
