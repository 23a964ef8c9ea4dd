//! Logout tokens: an issuer says that somebody's login has ended (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6).

use std::time::Duration;

use super::TokenError;
use super::claims::ClaimPath;
use super::jwt::{Signed, TokenType};
use super::rules::{Rules, check_audience, name, optional, time};
use super::strict_json::{Json, Object};
use crate::clock::Timestamp;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Whoever keeps the ids of logout tokens, so that none counts twice, keeps them for this long and the leeway.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// What a verified logout token says. It names a subject, a session, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogoutToken {
    /// The issuer, byte for byte.
    pub issuer: String,
    /// The account, as [`Identity::subject`](crate::identity::Identity::subject) has it. All its logins, when there is
    /// no session.
    pub subject: Option<String>,
    /// The login session, as [`Identity::session`](crate::identity::Identity::session) has it.
    pub session: Option<String>,
    /// The token's own id (`jti`): one that was seen before is a replay.
    pub id: String,
    /// When it was issued; at most five minutes ago.
    pub issued_at: Timestamp,
}

impl LogoutToken {
    /// Of this issuer, without subject and session.
    pub fn new(issuer: impl Into<String>, id: impl Into<String>, issued_at: Timestamp) -> Self {
        Self {
            issuer: issuer.into(),
            subject: None,
            session: None,
            id: id.into(),
            issued_at,
        }
    }
}

impl Rules {
    /// Checks a logout token's claims.
    pub(super) fn admit_logout(&self, signed: &Signed, now: Timestamp) -> Result<LogoutToken, TokenError> {
        let claims = signed.claims();
        self.check_issuer(claims)?;
        // The type is only recommended; what makes it a logout token is the event.
        if matches!(signed.token_type(), TokenType::AccessToken | TokenType::Jose) {
            return Err(TokenError::Invalid("header_typ"));
        }
        // It is addressed to the client that somebody was logged in to, and that may be another than the one that tokens
        // are for.
        let ours = [&self.audiences, &self.clients, &self.logout_audiences];
        check_audience(ours.into_iter().flatten(), &ClaimPath::top_level("aud"), claims)?;
        self.check_logout_times(claims, now)?;
        check_event(claims)?;
        // With one, an ID token of the same keys could be told to be a logout.
        if claims.contains_key("nonce") {
            return Err(TokenError::Invalid("logout_nonce"));
        }
        let issued_at = time(claims, "iat", "iat_type")?.ok_or(TokenError::Invalid("iat_missing"))?;
        let session = optional(claims.get("sid"), "sid_malformed")?;
        let sub = optional(claims.get("sub"), "sub_malformed")?;
        // Where accounts are named by other claims than `sub`, a logout token may not say enough to name one.
        let subject = sub.and_then(|_| self.subject(claims).ok());
        if subject.is_none() && session.is_none() {
            return Err(TokenError::Invalid("logout_of_nobody"));
        }
        Ok(LogoutToken {
            issuer: self.issuer.clone(),
            subject,
            session,
            id: name(claims.get("jti"), "jti_missing", "token_id_malformed")?.to_owned(),
            issued_at,
        })
    }

    fn check_logout_times(&self, claims: &Object, now: Timestamp) -> Result<(), TokenError> {
        let issued_at = time(claims, "iat", "iat_type")?.ok_or(TokenError::Invalid("iat_missing"))?;
        if issued_at > now.plus(self.leeway) {
            return Err(TokenError::Invalid("issued_in_future"));
        }
        let expires_at = time(claims, "exp", "exp_type")?;
        if now.since(issued_at) > MAX_AGE + self.leeway || expires_at.is_some_and(|at| self.is_over(at, now))
        {
            return Err(TokenError::Invalid("expired"));
        }
        Ok(())
    }
}

fn check_event(claims: &Object) -> Result<(), TokenError> {
    match claims.get("events") {
        Some(Json::Object(events)) if matches!(events.get(EVENT), Some(Json::Object(_))) => Ok(()),
        Some(_) => Err(TokenError::Invalid("logout_event")),
        None => Err(TokenError::Invalid("logout_event_missing")),
    }
}
