//! What was withdrawn, and whom that stops. Pure: time is an argument.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MAX_GRANT_LIFETIME;
use crate::clock::Timestamp;
use crate::identity::Identity;

/// What a revocation names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Withdrawn {
    /// One token, or a device grant and all that was given for it: `jti`, `uti`, or the grant's id.
    Token {
        /// The id.
        id: String,
    },
    /// All tokens of one login session (`sid`).
    Session {
        /// The session.
        session: String,
    },
    /// All tokens of one account.
    Account {
        /// The issuer.
        issuer: String,
        /// The subject within it.
        subject: String,
    },
    /// The tokens of one account that name no session.
    Sessionless {
        /// The issuer.
        issuer: String,
        /// The subject within it.
        subject: String,
    },
    /// All tokens of one human (or machine), on every account.
    Person {
        /// As the record names them.
        person: String,
    },
}

impl Withdrawn {
    /// The kind's name in records.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::Session { .. } => "session",
            Self::Account { .. } => "account",
            Self::Sessionless { .. } => "sessionless",
            Self::Person { .. } => "person",
        }
    }
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { id } => f.write_str(id),
            Self::Session { session } => f.write_str(session),
            Self::Account { issuer, subject } | Self::Sessionless { issuer, subject } => {
                write!(f, "{issuer}#{subject}")
            }
            Self::Person { person } => f.write_str(person),
        }
    }
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revocation {
    /// What is withdrawn.
    pub what: Withdrawn,
    /// Tokens of a person or account that were issued after this stand. Ids and sessions never come again, so that
    /// for those it says nothing.
    pub issued_until: Timestamp,
    /// When it may be forgotten: by then everything that it stops has ended.
    pub ends_at: Timestamp,
    /// Why, for those who look at the list.
    #[serde(default)]
    pub reason: String,
}

impl Revocation {
    /// Withdraws what was issued until `issued_until`, and is kept for as long as a device grant may last.
    pub fn new(what: Withdrawn, issued_until: Timestamp, now: Timestamp) -> Self {
        let kept = MAX_GRANT_LIFETIME + Duration::from_secs(24 * 3600);
        Self {
            what,
            issued_until,
            ends_at: now.plus(kept),
            reason: String::new(),
        }
    }

    /// The same, forgotten at `ends_at` when that is earlier: what it stops has ended by then.
    #[must_use]
    pub fn ending(mut self, ends_at: Timestamp) -> Self {
        self.ends_at = self.ends_at.min(ends_at);
        self
    }

    /// The same, and why.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// The revocations in force, ready to be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationList {
    until: HashMap<Withdrawn, Timestamp>,
}

impl RevocationList {
    /// A list of these.
    pub fn new<'r>(revocations: impl IntoIterator<Item = &'r Revocation>) -> Self {
        let mut list = Self::default();
        for revocation in revocations {
            list.add(revocation);
        }
        list
    }

    /// Adds one. Of two for the same thing the later one counts.
    pub fn add(&mut self, revocation: &Revocation) {
        let until = self
            .until
            .entry(revocation.what.clone())
            .or_insert(revocation.issued_until);
        *until = (*until).max(revocation.issued_until);
    }

    /// Whether nothing is withdrawn.
    pub fn is_empty(&self) -> bool {
        self.until.is_empty()
    }

    /// Whether what this caller presented was withdrawn. A token that does not say when it was issued counts as old.
    pub fn stops(&self, identity: &Identity) -> bool {
        if self.until.is_empty() {
            return false;
        }
        let ids = identity
            .token_ids
            .iter()
            .cloned()
            .map(|id| Withdrawn::Token { id });
        let session = identity
            .session
            .iter()
            .cloned()
            .map(|session| Withdrawn::Session { session });
        if ids.chain(session).any(|what| self.until.contains_key(&what)) {
            return true;
        }
        let (issuer, subject) = (&identity.issuer, &identity.subject);
        let account = Withdrawn::Account {
            issuer: issuer.clone(),
            subject: subject.clone(),
        };
        let sessionless = identity.session.is_none().then(|| Withdrawn::Sessionless {
            issuer: issuer.clone(),
            subject: subject.clone(),
        });
        let person = Withdrawn::Person {
            person: identity.person.clone(),
        };
        let mut cut_off = [account, person].into_iter().chain(sessionless);
        cut_off.any(|what| {
            self.until
                .get(&what)
                .is_some_and(|until| identity.issued_at.is_none_or(|issued| issued <= *until))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn caller() -> Identity {
        let mut identity = Identity::new("https://idp.example", "dev", NOW.plus(Duration::from_secs(600)));
        identity.issued_at = Some(NOW);
        identity.session = Some("s1".into());
        identity.token_ids = vec!["t1".into(), "grant-1".into()];
        identity
    }

    fn stops(what: Withdrawn, until: Timestamp, identity: &Identity) -> bool {
        RevocationList::new([&Revocation::new(what, until, NOW)]).stops(identity)
    }

    #[test]
    fn stops_what_it_names_and_nothing_else() {
        let token = |id: &str| Withdrawn::Token { id: id.into() };
        let session = |s: &str| Withdrawn::Session { session: s.into() };
        let account = |i: &str, s: &str| Withdrawn::Account {
            issuer: i.into(),
            subject: s.into(),
        };
        let person = |p: &str| Withdrawn::Person { person: p.into() };
        let sessionless = |s: &str| Withdrawn::Sessionless {
            issuer: "https://idp.example".into(),
            subject: s.into(),
        };
        let idp = "https://idp.example";
        for (what, stopped) in [
            (token("t1"), true),
            (token("grant-1"), true),
            (token("s1"), false),
            (session("s1"), true),
            (session("t1"), false),
            (account(idp, "dev"), true),
            (account("https://other.example", "dev"), false),
            (account(idp, "Dev"), false),
            (person("https://idp.example#dev"), true),
            (person("dev"), false),
            (sessionless("dev"), false),
        ] {
            assert_eq!(stops(what.clone(), NOW, &caller()), stopped, "{what:?}");
        }
        let mut without = caller();
        without.session = None;
        assert!(stops(sessionless("dev"), NOW, &without) && !stops(sessionless("ops"), NOW, &without));
        assert!(!RevocationList::default().stops(&caller()));
    }

    #[test]
    fn who_signs_in_again_is_let_in() {
        let person = Withdrawn::Person {
            person: "https://idp.example#dev".into(),
        };
        let mut again = caller();
        again.issued_at = Some(NOW.plus(Duration::from_secs(1)));
        assert!(!stops(person.clone(), NOW, &again));
        again.issued_at = None;
        assert!(
            stops(person.clone(), NOW, &again),
            "without a time of issue it counts as old"
        );
        // The later of two counts.
        let mut list = RevocationList::default();
        let later = NOW.plus(Duration::from_secs(60));
        list.add(&Revocation::new(person.clone(), later, NOW));
        list.add(&Revocation::new(person, NOW, NOW));
        again.issued_at = Some(NOW.plus(Duration::from_secs(30)));
        assert!(list.stops(&again));
    }
}
