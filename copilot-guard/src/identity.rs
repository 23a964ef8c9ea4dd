//! Who asks: what a verified token says of a person or machine.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Whether a human or a program asks.
///
/// Exhaustive: a policy must say of each what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// A human, by way of a login.
    #[default]
    Person,
    /// A program on its own: a CI job, a workload, a client with credentials of its own. It cannot vote.
    Machine,
}

impl CallerKind {
    /// The name in policies and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Machine => "machine",
        }
    }
}

/// A verified caller. Built by a [`TokenVerifier`](crate::token::TokenVerifier), never from client headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// The token's issuer, byte for byte.
    pub issuer: String,
    /// The subject within that issuer.
    pub subject: String,
    /// Joins the accounts of one human across issuers, for the rule that nobody approves their own request.
    /// Defaults to `issuer` and `subject` joined by `#`.
    pub person: String,
    /// Names of the groups, as the claim mapping yields them. Empty when the token names none.
    pub groups: BTreeSet<String>,
    /// The client program the token was issued to (`azp`, `client_id`, `cid` or `appid`).
    pub client: Option<String>,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// When the person last proved who they are (`auth_time`), if the token says.
    pub authenticated_at: Option<Timestamp>,
    /// A human, or a program.
    #[serde(default)]
    pub kind: CallerKind,
    /// When the token was issued (`iat`), if it says. Of tokens that were given for another one: when that was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// The login session at the issuer (`sid`), if the token says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What the token can be withdrawn by: its own id (`jti`, `uti`) and those of the tokens it was given for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_ids: Vec<String>,
    /// The key of the account in the issuer's directory, where its groups are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_key: Option<String>,
}

impl Identity {
    /// An identity without groups whose person is the account itself.
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>, expires_at: Timestamp) -> Self {
        let (issuer, subject) = (issuer.into(), subject.into());
        Self {
            person: format!("{issuer}#{subject}"),
            issuer,
            subject,
            groups: BTreeSet::new(),
            client: None,
            expires_at,
            authenticated_at: None,
            kind: CallerKind::Person,
            issued_at: None,
            session: None,
            token_ids: Vec::new(),
            directory_key: None,
        }
    }

    /// The same identity with these groups.
    #[must_use]
    pub fn with_groups<I: IntoIterator<Item = S>, S: Into<String>>(mut self, groups: I) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Whether both are the same human: same account, or same person across accounts.
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.person == other.person || (self.issuer == other.issuer && self.subject == other.subject)
    }
}
