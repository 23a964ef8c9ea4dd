//! The events of the record. Plain data; serialised as one JSON object per event.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::decision::{Action, RuleHit, Stage};
use crate::id::{ApprovalId, ExchangeId};
use crate::identity::{CallerKind, Identity};

/// One event of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// The idempotency key: exchange and sequence number, or approval and revision.
    pub id: String,
    /// The exchange it belongs to.
    pub exchange: ExchangeId,
    /// When it happened.
    pub at: Timestamp,
    /// Digest of the policy in force, where one decided; with what is asked beside it. Events of older versions have none
    /// but in [`Opening`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl AuditEvent {
    /// The event number `seq` (0 is the first) of `exchange`.
    pub fn new(exchange: ExchangeId, seq: u64, at: Timestamp, kind: EventKind) -> Self {
        let policy = match &kind {
            EventKind::Opened(opening) => Some(opening.policy_version.clone()),
            _ => None,
        };
        Self {
            id: format!("{exchange}/{seq}"),
            exchange,
            at,
            policy: policy.filter(|version| !version.is_empty()),
            kind,
        }
    }

    /// The same under this policy.
    #[must_use]
    pub fn under(mut self, policy: Option<&str>) -> Self {
        self.policy = policy.filter(|version| !version.is_empty()).map(str::to_owned);
        self
    }

    /// The event of the revision `revision` of an approval that was opened by `exchange`.
    pub fn of_approval(
        approval: ApprovalId,
        revision: u64,
        exchange: ExchangeId,
        at: Timestamp,
        step: ApprovalStep,
    ) -> Self {
        // Another separator than in `new`: an approval and an exchange with the same id bits must not clash.
        Self {
            id: format!("{approval}#{revision}"),
            exchange,
            at,
            policy: None,
            kind: EventKind::Approval { approval, step },
        }
    }

    /// The closing event of an exchange that a dead process left open, from its events so far: what a store appends
    /// at its next start. `None` when it is closed already, or has no events.
    pub fn interruption(events: &[Self], now: Timestamp) -> Option<Self> {
        let first = events.first()?;
        if events.iter().any(|e| e.kind.is_final()) {
            return None;
        }
        let mut closing = Closing::new(Outcome::Interrupted, 0, Action::Allow);
        closing.code = Some("process_ended".to_owned());
        let mut seq = 0;
        for event in events {
            match &event.kind {
                EventKind::Opened(opening) => closing.decision = closing.decision.max(opening.decision),
                EventKind::Matched(hit) if !hit.observed_only => {
                    closing.decision = closing.decision.max(hit.action)
                }
                EventKind::Delivered { offset, text } => {
                    closing.delivered = closing.delivered.max(offset.saturating_add(text.len() as u64));
                }
                _ => {}
            }
            seq = seq.max(event.own_seq().map_or(0, |n| n.saturating_add(1)));
        }
        let closed = EventKind::Closed(Box::new(closing));
        Some(Self::new(first.exchange, seq, now, closed).under(first.policy.as_deref()))
    }

    /// The sequence number within the exchange; `None` for events of approvals, which count for themselves.
    fn own_seq(&self) -> Option<u64> {
        let (owner, seq) = self.id.split_once('/')?;
        if owner == self.exchange.to_string() {
            seq.parse().ok()
        } else {
            None
        }
    }
}

/// What happened. Serialised as `"event": "<name>", "data": {..}`: were the content beside the event's own fields, the
/// `id` of a rule that matched would stand beside the `id` of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// An identified request was judged. Durable before a byte goes upstream.
    Opened(Box<Opening>),
    /// Bytes of the answer, as they were delivered to the client. For streams one event per delivered piece.
    Delivered {
        /// Where the piece begins in the answer's body, in bytes.
        offset: u64,
        /// The delivered text.
        text: String,
    },
    /// A rule matched on the way down.
    Matched(RuleHit),
    /// A step of an approval.
    Approval {
        /// Which approval.
        approval: ApprovalId,
        /// Which step.
        step: ApprovalStep,
    },
    /// The last event of an exchange.
    Closed(Box<Closing>),
    /// Refused before it was known who asks or what is asked; first and last event at once.
    Refused {
        /// A stable code, such as `expired` or `unknown_route`.
        code: String,
        /// The status the client got.
        status: u16,
        /// How many like it this event stands for (more than one when refusals come in a flood).
        count: u64,
        /// Where it came from, as far as that is known. Of several, what they share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Box<Stranger>>,
    },
    /// Access was taken back; first and last event at once.
    Revoked(Box<Withdrawal>),
}

impl EventKind {
    /// Whether it ends its exchange. An exchange has exactly one such event.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::Refused { .. } | Self::Revoked(_))
    }
}

/// What is known of somebody who was refused before it was known who they are. Nothing of it can be trusted but the
/// address, and that only as far as the way to the gateway can.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// The network address of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The method and path of the request, without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// That access was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// What was withdrawn: `token`, `session`, `account` or `person`.
    pub what: String,
    /// Its name: the id of a token or grant, a session, an account (`issuer#subject`), a person.
    pub name: String,
    /// What was issued until then is refused.
    pub issued_until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who did it; nobody when the identity provider or the command line did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// By which way: `admin`, `command`, `logout` (the identity provider's), `owner`.
    pub through: String,
}

/// Who acted, as the record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The subject within the issuer.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// Joins one human's accounts.
    pub person: String,
    /// The groups the token named.
    pub groups: BTreeSet<String>,
    /// The program the token was issued to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// A human, or a program.
    #[serde(default, skip_serializing_if = "is_person")]
    pub kind: CallerKind,
}

/// Records of humans say nothing of it.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` hands out references"
)]
fn is_person(kind: &CallerKind) -> bool {
    *kind == CallerKind::Person
}

impl Actor {
    /// Whether both are the same human: same account, or same person across accounts.
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.person == other.person || (self.issuer == other.issuer && self.subject == other.subject)
    }
}

impl From<&Identity> for Actor {
    fn from(identity: &Identity) -> Self {
        Self {
            subject: identity.subject.clone(),
            issuer: identity.issuer.clone(),
            person: identity.person.clone(),
            groups: identity.groups.clone(),
            client: identity.client.clone(),
            kind: identity.kind,
        }
    }
}

/// A rule that matched, in short.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleRef {
    /// The rule's id.
    pub id: String,
    /// What it asked for.
    pub action: Action,
    /// Where it matched.
    pub stage: Stage,
}

impl From<&RuleHit> for RuleRef {
    fn from(hit: &RuleHit) -> Self {
        Self {
            id: hit.id.clone(),
            action: hit.action,
            stage: hit.stage,
        }
    }
}

/// The first event's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Who asks.
    pub actor: Actor,
    /// The configured upstream the request is for.
    pub upstream: String,
    /// The wire format.
    pub dialect: String,
    /// The requested model, as the request names it.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The client's own session id, when it sends one. Never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The client program, as its `User-Agent` says. Never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// What the policy said.
    pub decision: Action,
    /// Every rule that matched, and why.
    pub hits: Vec<RuleHit>,
    /// Digest of the policy that decided.
    pub policy_version: String,
    /// What no rule could look at, such as images or encrypted reasoning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_scanned: Vec<String>,
    /// Masks made on the way up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<MaskCount>,
    /// The approval that holds the request, or that it rides on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// SHA-256 of the canonical request, in hex.
    pub digest: String,
    /// The request as it is to go upstream, after masking.
    pub request: String,
}

/// How often a rule masked something in one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskCount {
    /// The rule or secret kind.
    pub rule: String,
    /// The place: a path of the request or a channel of the answer.
    pub channel: String,
    /// How often.
    pub count: u64,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer was delivered to its end.
    Completed,
    /// Policy blocked the request or the answer.
    Blocked,
    /// The request was malformed, too large, or could not be recorded.
    Refused,
    /// A reviewer denied it.
    Denied,
    /// The approval's time ran out.
    Expired,
    /// No vote came while the request was held; the approval stays open.
    HeldOver,
    /// Upstream failed, or sent what cannot be read.
    UpstreamFailed,
    /// The client left.
    ClientGone,
    /// The process ended in between; written at the next start.
    Interrupted,
}

impl Outcome {
    /// The name used in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::HeldOver => "held_over",
            Self::UpstreamFailed => "upstream_failed",
            Self::ClientGone => "client_gone",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The last event's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// How it ended.
    pub outcome: Outcome,
    /// The status the client got; 0 when it left before any head.
    pub status: u16,
    /// The final decision: the strictest of what was decided on the way up and on the way down.
    pub decision: Action,
    /// Why, when the outcome is not `completed`: a stable code such as `upstream_timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Masks made in the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<MaskCount>,
    /// What of the answer no rule could look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_scanned: Vec<String>,
    /// Bytes of body handed to the client.
    pub delivered: u64,
    /// Tokens, where a budget counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenCount>,
}

/// How many tokens an exchange took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenCount {
    /// Of the request.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
    /// Upstream did not say (or the answer broke off): a fourth of the bytes of text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Closing {
    /// A closing without masks.
    pub fn new(outcome: Outcome, status: u16, decision: Action) -> Self {
        Self {
            outcome,
            status,
            decision,
            code: None,
            masks: Vec::new(),
            not_scanned: Vec::new(),
            delivered: 0,
            tokens: None,
        }
    }
}

/// A step in the life of an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApprovalStep {
    /// Opened by a held request.
    Opened {
        /// Digest of the request, in hex.
        digest: String,
        /// The rules that ask for it.
        rules: Vec<String>,
    },
    /// Another request of the same person with the same digest joined it.
    Joined {
        /// The exchange that joined.
        by: ExchangeId,
    },
    /// A reviewer voted.
    Voted {
        /// Who.
        reviewer: Actor,
        /// `true` for approve.
        approve: bool,
        /// The reviewer's reason.
        reason: String,
        /// The state after this vote.
        state: String,
    },
    /// A vote was refused.
    VoteRefused {
        /// Who tried.
        reviewer: Actor,
        /// A stable code such as `own_request` or `not_a_reviewer`.
        code: String,
    },
    /// Time ran out before enough votes came.
    Expired,
    /// The approved request was released upstream. Happens once.
    Consumed {
        /// The exchange that was released.
        by: ExchangeId,
    },
    /// A later request went ahead on this approval.
    Ridden {
        /// The exchange that went ahead.
        by: ExchangeId,
        /// Digest of that request, in hex.
        digest: String,
    },
}
