//! What an approval holds. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::audit::Actor;
use crate::clock::Timestamp;
use crate::id::{ApprovalId, ExchangeId};

/// A SHA-256, in hex. Of a canonical request, or of one finding within it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Of the fields in order, each preceded by its length, so that no two lists of fields collide.
    pub fn of(fields: &[&[u8]]) -> Self {
        use fmt::Write as _;
        let mut hasher = Sha256::new();
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        let mut hex = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }

    /// The 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose votes are needed: any one of the alternatives, each of which needs all its groups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Alternatives; each maps a reviewer group to the number of distinct people needed from it.
    /// A person counts once within an alternative.
    pub any: Vec<BTreeMap<String, u32>>,
}

/// A part of the request, as the reviewer sees it: masked as it would go upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The place in the request, such as `messages[3].content`.
    pub place: String,
    /// The role.
    pub role: String,
    /// The text, after masking.
    pub text: String,
}

/// One reviewer's vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who, from the authenticated admin session.
    pub reviewer: Actor,
    /// Approve or deny.
    pub approve: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Waits for votes.
    Pending,
    /// Enough votes; not yet used.
    Approved,
    /// A reviewer denied it. Final.
    Denied,
    /// Time ran out. Final.
    Expired,
    /// Used for the one request it was opened for; covered requests may ride until `rides_until`.
    Consumed,
}

impl ApprovalState {
    /// The name used in the API and the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Consumed => "consumed",
        }
    }
}

/// One approval, with everything a reviewer needs and everything that binds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Counts up with each change; see [`ApprovalStore::changed`](super::ApprovalStore::changed).
    pub revision: u64,
    /// Where it stands.
    pub state: ApprovalState,
    /// The exchange that opened it.
    pub exchange: ExchangeId,
    /// Who asks. Never among the voters.
    pub requester: Actor,
    /// Digest of the canonical request.
    pub digest: Digest,
    /// The rules that ask for approval, sorted.
    pub rules: Vec<String>,
    /// Whose votes are needed.
    pub requirement: Requirement,
    /// The message of the deciding rule.
    pub message: String,
    /// The model.
    pub model: String,
    /// The wire format.
    pub dialect: String,
    /// Digests of the findings the reviewer was shown: rule, role and text of each matching part.
    pub covers: BTreeSet<Digest>,
    /// Names of the tools the request brought.
    pub tools: BTreeSet<String>,
    /// What the reviewer sees.
    pub shown: Vec<Shown>,
    /// Digest of the policy that asked.
    pub policy_version: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it ends if it is not approved and used by then.
    pub expires_at: Timestamp,
    /// Until when, at the latest, covered requests may ride on it once it was used.
    pub rides_until: Timestamp,
    /// How long, counted from its use, covered requests may ride on it, in seconds; `rides_until` is brought forward
    /// when it is used.
    #[serde(default = "no_bound")]
    pub ride_seconds: u64,
    /// How many covered requests may still ride.
    pub rides_left: u32,
    /// The votes so far, in order.
    pub votes: Vec<Vote>,
}

/// Approvals stored without a window are bounded by `rides_until` alone.
fn no_bound() -> u64 {
    u64::MAX
}
