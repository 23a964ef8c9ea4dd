//! Access taken back: by whoever holds it, by the identity provider, by an operator.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use http::StatusCode;
use http::request::Parts;

use super::super::catch::catch_async;
use super::super::{Guard, entropy};
use super::{Refused, one, refused};
use crate::access::{DeviceGrant, GrantHash, Revocation, Withdrawn};
use crate::audit::{Actor, AuditEvent, EventKind, Withdrawal};
use crate::clock::Timestamp;
use crate::id::ExchangeId;
use crate::token::{GatewayTokens, TokenError};

/// How far the clock of an identity provider may be behind, at most.
const LEEWAY: Duration = Duration::from_secs(300);
/// For as long as a revocation is kept at most.
const FAR: Timestamp = Timestamp::from_millis(i64::MAX);

/// Why access was not taken back, or not wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum NotWithdrawn {
    /// It counts here and now, but the store did not keep it.
    Unkept,
    /// It is in force, but not on record.
    Unrecorded,
}

/// Access could not be taken back everywhere, or not on record: try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the revocation counts on this replica, but could not be kept or recorded: try again")]
pub struct RevokeError;

impl Guard {
    /// RFC 7009: who holds a token may give it back. Of one that is none, nobody is told.
    pub(super) async fn give_back(
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
        let (ids, ends_at): (Vec<_>, _) = if GatewayTokens::is_one(token) {
            // Its own id stands last, behind those of what it was given for. Kept no longer than it can be of use: whoever
            // asks for many could fill the list otherwise.
            let own = identity.token_ids.last().cloned();
            (own.into_iter().collect(), identity.expires_at.plus(LEEWAY))
        } else {
            // A grant that was given for it may last for weeks.
            (identity.token_ids.clone(), FAR)
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
    pub(super) async fn log_out(
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

    pub(in crate::guard) async fn withdraw(
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
}

fn not_now() -> Refused {
    let message = "It could not be kept or recorded. Try again in a moment.";
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        message,
    )
}
