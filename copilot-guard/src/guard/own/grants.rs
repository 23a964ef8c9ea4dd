//! Device grants: given for a login, redeemed for tokens.

use std::panic::AssertUnwindSafe;

use http::StatusCode;

use super::super::catch::catch_async;
use super::super::denial::Denial;
use super::super::session::{Admission, Identified};
use super::super::{Guard, local};
use crate::access::{GrantHash, new_grant};
use crate::clock::Timestamp;
use crate::dialect::Dialect;
use crate::id::ExchangeId;
use crate::identity::{CallerKind, Identity};
use crate::json::quote;
use crate::token::{GatewayTokens, TokenError};

/// Most device grants of one person at a time.
const MOST_GRANTS: usize = 64;

impl Guard {
    /// Whom a device grant names, as the identity provider knows them now.
    pub(in crate::guard) async fn redeem(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
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
    pub(in crate::guard) async fn grant_device(&self, identified: &Identified) -> Admission {
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
            // Those that were withdrawn are only remembered.
            Some(Ok(grants))
                if grants
                    .iter()
                    .filter(|g| !self.inner.revoked.stops(&g.identity))
                    .count()
                    >= MOST_GRANTS =>
            {
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
}

fn unavailable(exchange: ExchangeId, dialect: Dialect) -> Denial {
    let message = "Device grants cannot be kept right now. Try again in a moment.";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Denial::new(exchange, dialect, status, "store_unavailable", message)
}
