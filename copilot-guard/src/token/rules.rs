//! What one issuer's signed claims must say, and whom they then name.

use std::sync::Once;
use std::time::Duration;

use super::claims::{ClaimPath, Conditions, MAX_NAME, is_name};
use super::jwt::{Signed, TokenType, issuer_of};
use super::mapping::Mapping;
use super::strict_json::{Json, Object};
use super::{Algorithm, TokenError};
use crate::clock::Timestamp;
use crate::identity::{CallerKind, Identity};

/// An issuer's configuration, checked and read.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) audience_claim: ClaimPath,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) rfc9068: bool,
    pub(super) allow_jose: bool,
    pub(super) id_tokens: bool,
    pub(super) clients: Vec<String>,
    pub(super) logout_audiences: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) groups: Mapping,
    pub(super) required: Conditions,
    pub(super) subject: Vec<ClaimPath>,
    pub(super) subject_prefix: Option<String>,
    pub(super) person: Option<ClaimPath>,
    pub(super) machine: Vec<Mark>,
    pub(super) directory_key: Option<ClaimPath>,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
    /// Whether a suspicious list was reported.
    pub(super) warned: Once,
}

/// A [`MachineMark`](super::MachineMark) with its paths read.
#[derive(Debug)]
pub(super) enum Mark {
    Always,
    When(Conditions),
    SubjectIsClient,
    StartsWith(ClaimPath, String),
    EndsWith(ClaimPath, String),
}

/// Somebody whose token is good.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    /// As the token alone says it.
    pub(super) identity: Identity,
    /// The directory must be asked for (more of) the groups first.
    pub(super) directory: bool,
}

impl Rules {
    /// Checks every claim and maps them.
    pub(super) fn admit(&self, signed: &Signed, now: Timestamp) -> Result<Admitted, TokenError> {
        let claims = signed.claims();
        self.check_issuer(claims)?;
        self.check_type(signed.token_type())?;
        check_audience(self.audiences.iter(), &self.audience_claim, claims)?;
        let expires_at = self.check_times(claims, now)?;
        self.check_kind(signed.token_type(), claims)?;
        self.check_client(claims)?;
        self.check_scopes(claims)?;
        if !self.required.hold(claims) {
            return Err(TokenError::Invalid("required_claim"));
        }
        self.identity(claims, expires_at, now)
    }

    /// Again, now that it is signed: the first look only chose the keys.
    pub(super) fn check_issuer(&self, claims: &Object) -> Result<(), TokenError> {
        if issuer_of(claims)? == self.issuer {
            Ok(())
        } else {
            Err(TokenError::Invalid("iss_mismatch"))
        }
    }

    fn check_type(&self, token_type: TokenType) -> Result<(), TokenError> {
        let fits = match token_type {
            TokenType::AccessToken => true,
            TokenType::Absent | TokenType::Jwt => !self.rfc9068,
            TokenType::Jose => self.allow_jose && !self.rfc9068,
            TokenType::Logout => false,
        };
        if fits {
            Ok(())
        } else {
            Err(TokenError::Invalid("header_typ"))
        }
    }

    fn check_times(&self, claims: &Object, now: Timestamp) -> Result<Timestamp, TokenError> {
        let latest = now.plus(self.leeway);
        let expires_at = time(claims, "exp", "exp_type")?.ok_or(TokenError::Invalid("exp_missing"))?;
        if self.is_over(expires_at, now) {
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
        if expires_at.since(issued_at) > self.max_lifetime {
            return Err(TokenError::Invalid("lifetime"));
        }
        Ok(expires_at)
    }

    /// Whether a token that ends then has ended, the clocks' difference allowed for.
    pub(super) fn is_over(&self, expires_at: Timestamp, now: Timestamp) -> bool {
        expires_at.plus(self.leeway) <= now
    }

    /// Refuses tokens that are signed with the same keys for another purpose.
    fn check_kind(&self, token_type: TokenType, claims: &Object) -> Result<(), TokenError> {
        // Bound to a key that the caller has not proved to hold; taking it as a bearer token would undo the binding.
        if claims.contains_key("cnf") {
            return Err(TokenError::Invalid("cnf_unproven"));
        }
        // Logout tokens and security events.
        if claims.contains_key("events") {
            return Err(TokenError::Invalid("events"));
        }
        // Keycloak tells its kinds of token apart by a claim, with one issuer and one key for all.
        let refused = ["Refresh", "Offline", "Logout", "Serialized-ID"];
        let is = |kind: &str, other: &str| other.eq_ignore_ascii_case(kind);
        match claims.get("typ") {
            None => {}
            Some(Json::String(kind)) if refused.iter().any(|other| is(kind, other)) => {
                return Err(TokenError::Invalid("token_kind"));
            }
            Some(Json::String(kind)) if is(kind, "ID") && !self.id_tokens => {
                return Err(TokenError::Invalid("id_token"));
            }
            Some(Json::String(_)) => {}
            Some(_) => return Err(TokenError::Invalid("token_kind")),
        }
        if self.id_tokens {
            return Ok(());
        }
        // Keycloak wrote the login's `nonce` into access tokens, too: marks say nothing where the token says its kind.
        let kind = claims.get("typ").and_then(Json::as_str);
        let is_access = token_type == TokenType::AccessToken || kind.is_some_and(|kind| is("Bearer", kind));
        // The tie to one login, and hashes of what was handed out beside the token.
        let has_mark = ["nonce", "at_hash", "c_hash"]
            .iter()
            .any(|mark| claims.contains_key(*mark));
        let is_cognitos = claims.get("token_use").and_then(Json::as_str) == Some("id");
        if is_cognitos || claims.contains_key("s_hash") || (has_mark && !is_access) {
            return Err(TokenError::Invalid("id_token"));
        }
        Ok(())
    }

    fn check_client(&self, claims: &Object) -> Result<(), TokenError> {
        if self.clients.is_empty() {
            return Ok(());
        }
        let mut found = CLIENT_CLAIMS
            .iter()
            .filter_map(|claim| claims.get(*claim))
            .peekable();
        if found.peek().is_none() {
            return Err(TokenError::Invalid("client_missing"));
        }
        // All that are there: were two to differ, nobody could say whose token it is.
        let is_known = |client: &Json| {
            client
                .as_str()
                .is_some_and(|client| self.clients.iter().any(|known| known == client))
        };
        if found.all(is_known) {
            Ok(())
        } else {
            Err(TokenError::Invalid("client_refused"))
        }
    }

    fn check_scopes(&self, claims: &Object) -> Result<(), TokenError> {
        if self.scopes.is_empty() {
            return Ok(());
        }
        let mut granted: Vec<&str> = Vec::new();
        for claim in ["scope", "scp"] {
            match claims.get(claim) {
                None => {}
                Some(Json::String(text)) => granted.extend(text.split(' ')),
                Some(Json::Array(items)) => {
                    let names: Option<Vec<_>> = items.iter().map(Json::as_str).collect();
                    granted.extend(names.ok_or(TokenError::Invalid("scope_type"))?);
                }
                Some(_) => return Err(TokenError::Invalid("scope_type")),
            }
        }
        if self.scopes.iter().all(|scope| granted.contains(&scope.as_str())) {
            Ok(())
        } else {
            Err(TokenError::Invalid("scope_missing"))
        }
    }

    fn identity(
        &self,
        claims: &Object,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Admitted, TokenError> {
        // `sub` must be there even where another claim is the key: tokens without it are of another kind.
        let sub = name(claims.get("sub"), "sub_missing", "sub_malformed")?;
        let subject = self.subject(claims)?;
        let mut identity = Identity::new(self.issuer.as_str(), subject, expires_at);
        identity.client = client(claims)?;
        if self
            .machine
            .iter()
            .any(|mark| mark.fits(claims, sub, identity.client.as_deref()))
        {
            identity.kind = CallerKind::Machine;
        }
        let is_machine = identity.kind == CallerKind::Machine;
        // Programs have no mailbox and no vote: without the claim, each is a person of its own.
        let person = self
            .person
            .as_ref()
            .map(|path| path.find(claims))
            .filter(|value| value.is_some() || !is_machine);
        if let Some(value) = person {
            // Without it, one human could be two persons and approve their own request. In lower case, since
            // `A@x` and `a@x` are one mailbox; to join too many only refuses a vote.
            identity.person = name(value, "person_missing", "person_malformed")?.to_lowercase();
        }
        // What is no number proves no login, which is what a vote asks for; the rest needs none.
        identity.authenticated_at = time(claims, "auth_time", "auth_time_type").unwrap_or_default();
        if identity
            .authenticated_at
            .is_some_and(|at| at > now.plus(self.leeway))
        {
            // A proof from the future would never grow old.
            return Err(TokenError::Invalid("auth_time_future"));
        }
        identity.issued_at = time(claims, "iat", "iat_type")?;
        identity.session = optional(claims.get("sid"), "sid_malformed")?;
        // A token that cannot be withdrawn by its name is refused, rather than accepted for good.
        for claim in ["jti", "uti"] {
            identity
                .token_ids
                .extend(optional(claims.get(claim), "token_id_malformed")?);
        }
        if let Some(path) = &self.directory_key {
            identity.directory_key = optional(path.find(claims), "directory_key_malformed")?;
        }
        let found = self.groups.read(claims, identity.kind)?;
        if found.suspicious {
            self.warned.call_once(|| {
                tracing::warn!(
                    issuer = %self.issuer,
                    "a token has just as many groups as the provider sends at most: the list may be cut"
                );
            });
        }
        if found.directory && identity.directory_key.is_none() {
            return Err(TokenError::Invalid("directory_key_missing"));
        }
        identity.groups = found.groups;
        Ok(Admitted {
            identity,
            directory: found.directory,
        })
    }

    /// The account's name. Only the last part may hold a `/`, so that no two accounts have one name.
    pub(super) fn subject(&self, claims: &Object) -> Result<String, TokenError> {
        let malformed = TokenError::Invalid("subject_malformed");
        let mut subject = String::new();
        for (n, path) in self.subject.iter().enumerate() {
            let part = name(path.find(claims), "subject_missing", "subject_malformed")?;
            if n + 1 < self.subject.len() && part.contains('/') {
                return Err(malformed);
            }
            if n > 0 {
                subject.push('/');
            }
            subject.push_str(part);
        }
        if !is_name(&subject, MAX_NAME) {
            return Err(malformed);
        }
        match &self.subject_prefix {
            Some(prefix) if !subject.starts_with(prefix.as_str()) => {
                Err(TokenError::Invalid("subject_refused"))
            }
            _ => Ok(subject),
        }
    }
}

impl Mark {
    fn fits(&self, claims: &Object, sub: &str, client: Option<&str>) -> bool {
        let text = |path: &ClaimPath| {
            path.find(claims)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        match self {
            Self::Always => true,
            Self::When(conditions) => conditions.hold(claims),
            Self::SubjectIsClient => client == Some(sub),
            Self::StartsWith(path, start) => text(path).starts_with(start.as_str()),
            Self::EndsWith(path, end) => text(path).ends_with(end.as_str()),
        }
    }
}

/// One of `ours` stands in the claim, exactly.
pub(super) fn check_audience<'a>(
    ours: impl Iterator<Item = &'a String> + Clone,
    claim: &ClaimPath,
    claims: &Object,
) -> Result<(), TokenError> {
    let wrong_type = TokenError::Invalid("aud_type");
    let is_ours = |audience: &str| ours.clone().any(|own| own == audience);
    let found = match claim.find(claims) {
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

/// A NumericDate: any finite number, not a string of digits.
pub(super) fn time(
    claims: &Object,
    claim: &str,
    code: &'static str,
) -> Result<Option<Timestamp>, TokenError> {
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

pub(super) fn name<'a>(
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

pub(super) fn optional(value: Option<&Json>, malformed: &'static str) -> Result<Option<String>, TokenError> {
    match value {
        None => Ok(None),
        Some(_) => name(value, malformed, malformed).map(|text| Some(text.to_owned())),
    }
}

const CLIENT_CLAIMS: [&str; 4] = ["azp", "client_id", "cid", "appid"];

fn client(claims: &Object) -> Result<Option<String>, TokenError> {
    let value = CLIENT_CLAIMS.iter().find_map(|claim| claims.get(*claim));
    optional(value, "client_malformed")
}
