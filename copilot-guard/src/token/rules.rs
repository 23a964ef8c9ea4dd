//! What one issuer's signed claims must say, and whom they then name.

use std::time::Duration;

use super::claims::{ClaimPath, Expected, MAX_NAME, Source, groups, is_name};
use super::jwt::{Signed, issuer_of};
use super::strict_json::{Json, Object};
use super::{Algorithm, TokenError};
use crate::clock::Timestamp;
use crate::identity::Identity;

/// An issuer's configuration, checked and read.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) groups: Vec<Source>,
    pub(super) required: Vec<(ClaimPath, Expected)>,
    pub(super) subject: ClaimPath,
    pub(super) person: Option<ClaimPath>,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
}

impl Rules {
    /// Checks every claim and maps them.
    pub(super) fn admit(&self, signed: &Signed, now: Timestamp) -> Result<Identity, TokenError> {
        let claims = signed.claims();
        // Again, now that it is signed: the first look only chose the keys.
        if issuer_of(claims)? != self.issuer {
            return Err(TokenError::Invalid("iss_mismatch"));
        }
        self.check_audience(claims)?;
        let expires_at = self.check_times(claims, now)?;
        check_kind(claims)?;
        for (path, expected) in &self.required {
            if !path.find(claims).is_some_and(|value| expected.is(value)) {
                return Err(TokenError::Invalid("required_claim"));
            }
        }
        self.identity(claims, expires_at, now)
    }

    fn check_audience(&self, claims: &Object) -> Result<(), TokenError> {
        let wrong_type = TokenError::Invalid("aud_type");
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
        let found = match claims.get("aud") {
            None => return Err(TokenError::Invalid("aud_missing")),
            Some(Json::String(audience)) => is_ours(audience),
            Some(Json::Array(audiences)) => {
                let all: Option<Vec<_>> = audiences.iter().map(Json::as_str).collect();
                all.ok_or(wrong_type)?.into_iter().any(is_ours)
            }
            Some(_) => return Err(wrong_type),
        };
        if found {
            Ok(())
        } else {
            Err(TokenError::Invalid("aud_mismatch"))
        }
    }

    fn check_times(&self, claims: &Object, now: Timestamp) -> Result<Timestamp, TokenError> {
        let latest = now.plus(self.leeway);
        let expires_at = time(claims, "exp", "exp_type")?.ok_or(TokenError::Invalid("exp_missing"))?;
        if expires_at.plus(self.leeway) <= now {
            return Err(TokenError::Invalid("expired"));
        }
        if time(claims, "nbf", "nbf_type")?.is_some_and(|from| from > latest) {
            return Err(TokenError::Invalid("not_yet_valid"));
        }
        let issued_at = time(claims, "iat", "iat_type")?.unwrap_or(now);
        if issued_at > latest {
            return Err(TokenError::Invalid("issued_in_future"));
        }
        // From when it was issued, not from now: a token good for ten years is refused in its last hour, too.
        if expires_at.since(issued_at.min(now)) > self.max_lifetime {
            return Err(TokenError::Invalid("lifetime"));
        }
        Ok(expires_at)
    }

    fn identity(
        &self,
        claims: &Object,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Identity, TokenError> {
        // `sub` must be there even where another claim is the key: tokens without it are of another kind.
        name(claims.get("sub"), "sub_missing", "sub_malformed")?;
        let subject = name(self.subject.find(claims), "subject_missing", "subject_malformed")?;
        let mut identity = Identity::new(self.issuer.as_str(), subject, expires_at);
        if let Some(path) = &self.person {
            // Without it, one human could be two persons and approve their own request. In lower case, since
            // `A@x` and `a@x` are one mailbox; to join too many only refuses a vote.
            identity.person = name(path.find(claims), "person_missing", "person_malformed")?.to_lowercase();
        }
        identity.groups = groups(claims, &self.groups)?;
        identity.client = client(claims)?;
        identity.authenticated_at = time(claims, "auth_time", "auth_time_type")?;
        if identity
            .authenticated_at
            .is_some_and(|at| at > now.plus(self.leeway))
        {
            // A proof from the future would never grow old.
            return Err(TokenError::Invalid("auth_time_future"));
        }
        Ok(identity)
    }
}

/// Refuses tokens that are signed with the same keys for another purpose.
fn check_kind(claims: &Object) -> Result<(), TokenError> {
    // Bound to a key that the caller has not proved to hold; taking it as a bearer token would undo the binding.
    if claims.contains_key("cnf") {
        return Err(TokenError::Invalid("cnf_unproven"));
    }
    // Logout tokens and security events.
    if claims.contains_key("events") {
        return Err(TokenError::Invalid("events"));
    }
    // Keycloak tells its kinds of token apart by a claim, with one issuer and one key for all.
    let refused = ["Refresh", "Offline", "ID", "Logout", "Serialized-ID"];
    match claims.get("typ") {
        None => Ok(()),
        Some(Json::String(kind)) if !refused.iter().any(|other| other.eq_ignore_ascii_case(kind)) => Ok(()),
        Some(_) => Err(TokenError::Invalid("token_kind")),
    }
}

/// A NumericDate: any finite number, not a string of digits.
fn time(claims: &Object, claim: &str, code: &'static str) -> Result<Option<Timestamp>, TokenError> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Json::Integer(seconds)) => Ok(Some(Timestamp::from_secs(*seconds))),
        // The cast saturates: a time beyond the range stays far ahead or far behind.
        Some(Json::Float(seconds)) if seconds.is_finite() => {
            Ok(Some(Timestamp::from_millis((seconds * 1000.0) as i64)))
        }
        Some(_) => Err(TokenError::Invalid(code)),
    }
}

fn name<'a>(
    value: Option<&'a Json>,
    missing: &'static str,
    malformed: &'static str,
) -> Result<&'a str, TokenError> {
    match value {
        Some(Json::String(text)) if is_name(text, MAX_NAME) => Ok(text),
        Some(_) => Err(TokenError::Invalid(malformed)),
        None => Err(TokenError::Invalid(missing)),
    }
}

fn client(claims: &Object) -> Result<Option<String>, TokenError> {
    let Some(value) = ["azp", "client_id", "cid", "appid"]
        .iter()
        .find_map(|claim| claims.get(*claim))
    else {
        return Ok(None);
    };
    name(Some(value), "client_malformed", "client_malformed").map(|client| Some(client.to_owned()))
}
