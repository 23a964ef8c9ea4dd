//! Who asks: what a verified token says of a person or machine.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

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
