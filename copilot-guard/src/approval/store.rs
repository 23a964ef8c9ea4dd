//! Who keeps approvals.

use async_trait::async_trait;

use super::{Approval, ApprovalState, Digest, Vote};
use crate::audit::AuditEvent;
use crate::clock::Timestamp;
use crate::id::{ApprovalId, ExchangeId};

/// The store failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("the store failed: {what}")]
pub struct StoreError {
    what: &'static str,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// A failure with its cause.
    pub fn new(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            what,
            source: Some(source.into()),
        }
    }

    /// A failure without a cause.
    pub const fn message(what: &'static str) -> Self {
        Self { what, source: None }
    }
}

/// Why a vote was not counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VoteError {
    /// No such approval.
    #[error("no such approval")]
    NotFound,
    /// The reviewer is the requester.
    #[error("nobody votes on their own request")]
    OwnRequest,
    /// The reviewer is in none of the groups the requirement names.
    #[error("not a reviewer for this approval")]
    NotAReviewer,
    /// The reviewer has voted this way already.
    #[error("this vote was cast already")]
    AlreadyVoted,
    /// It is no longer open to this vote.
    #[error("the approval is already {}", .0.as_str())]
    Settled(ApprovalState),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VoteError {
    /// A stable code for records and API answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::OwnRequest => "own_request",
            Self::NotAReviewer => "not_a_reviewer",
            Self::AlreadyVoted => "already_voted",
            Self::Settled(_) => "settled",
            Self::Store(_) => "store_unavailable",
        }
    }
}

/// Why an approval could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// No such approval.
    #[error("no such approval")]
    NotFound,
    /// It does not allow this: not approved, used up, out of time, or another request, person or model.
    #[error("the approval does not cover this request")]
    NotCovered,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A request that wants to go ahead on an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The exchange that wants to go ahead.
    pub exchange: ExchangeId,
    /// The caller's person.
    pub person: String,
    /// The model.
    pub model: String,
    /// Digest of the canonical request.
    pub digest: Digest,
    /// Digests of its findings that ask for approval.
    pub findings: Vec<Digest>,
    /// The rules that ask for approval.
    pub rules: Vec<String>,
    /// Names of the tools it brings.
    pub tools: Vec<String>,
    /// The time now.
    pub now: Timestamp,
}

/// What became of a proposed approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The approval in force: the proposed one, or the one it joined.
    pub approval: Approval,
    /// Whether an older one was joined.
    pub joined: bool,
}

/// Which approvals to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only this state.
    pub state: Option<ApprovalState>,
    /// Only this requester's person.
    pub person: Option<String>,
    /// At most so many (default 100).
    pub limit: Option<usize>,
}

/// Keeps approvals. Every change is one atomic step of the state machine in [`state`](super::state), committed
/// together with its audit event.
///
/// # When it is called
/// Once per held request, per vote, per release; concurrently, possibly from several processes.
///
/// # If this fails
/// - An `Err` refuses the held request; nothing is forwarded.
/// - A store that forgets an approval makes people vote again; one that lets a claim succeed twice releases a request
///   twice; one that does not commit event and state together makes approvals that no auditor can see.
/// - `changed` may block for as long as it likes; the others must answer soon.
#[async_trait]
pub trait ApprovalStore: std::fmt::Debug + Send + Sync + 'static {
    /// Opens `proposal`, or joins the newest approval of the same person and digest that is not past its end at `now`
    /// ([`Approval::can_join`]), or else one of the same person that it can widen ([`Approval::can_widen`]).
    async fn open(&self, proposal: Approval, by: ExchangeId, now: Timestamp) -> Result<Joined, StoreError>;

    /// Counts a vote. A refused vote is recorded too.
    async fn vote(&self, id: ApprovalId, vote: Vote) -> Result<Approval, VoteError>;

    /// Uses an approval: consumes it for the request it was opened for (once), or rides on it.
    async fn claim(&self, id: ApprovalId, claim: &Claim) -> Result<Approval, ClaimError>;

    /// One approval as it stands.
    async fn get(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError>;

    /// Approvals, newest first.
    async fn list(&self, filter: &ListFilter) -> Result<Vec<Approval>, StoreError>;

    /// Ends every approval whose time has run out at `now`; says which.
    async fn expire(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError>;

    /// Returns once the approval's revision is above `seen`. May return early; the caller looks again.
    async fn changed(&self, id: ApprovalId, seen: u64) -> Result<Approval, StoreError>;

    /// Audit events of changes that are committed but not yet in the audit sink, oldest first. A store that is itself
    /// the audit sink returns none.
    async fn outbox(&self, limit: usize) -> Result<Vec<AuditEvent>, StoreError>;

    /// Forgets events of the outbox that the sink has acknowledged, by [`AuditEvent::id`].
    async fn outbox_done(&self, ids: &[String]) -> Result<(), StoreError>;
}
