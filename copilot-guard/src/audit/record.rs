//! One exchange as auditors see it: a fold over its events.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{ApprovalStep, AuditEvent, EventKind, MaskCount, Outcome, RuleRef};
use crate::clock::Timestamp;
use crate::decision::Action;
use crate::id::{ApprovalId, ExchangeId};
use crate::identity::CallerKind;

/// One exchange, from first to last event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeRecord {
    /// Its id.
    pub id: ExchangeId,
    /// The client's session id.
    pub session: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// Who asked; empty for refusals before identification.
    pub subject: String,
    /// The issuer of the token.
    pub issuer: String,
    /// The groups of the token.
    pub groups: BTreeSet<String>,
    /// The program the token was issued to.
    pub client: Option<String>,
    /// Whether a human or a program asked.
    #[serde(default)]
    pub kind: CallerKind,
    /// The upstream.
    pub upstream: String,
    /// The wire format.
    pub dialect: String,
    /// The model.
    pub model: String,
    /// Whether the answer was to be streamed.
    pub stream: bool,
    /// The strictest action taken.
    pub decision: Action,
    /// The rules that matched, sorted, without repeats.
    pub rules: Vec<RuleRef>,
    /// Masks made, up and down.
    pub masks: Vec<MaskCount>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// The status the client got.
    pub status: Option<u16>,
    /// A stable code when it did not complete.
    pub code: Option<String>,
    /// The approval it was held for or rode on.
    pub approval: Option<ApprovalId>,
    /// Votes cast, in order: reviewer's subject, `approve` or `deny`, time, reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<VoteRecord>,
    /// Digest of the policy that decided.
    pub policy_version: String,
    /// What no rule could look at.
    pub not_scanned: Vec<String>,
    /// The request as it went upstream; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The answer as it was delivered; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

/// A vote, as the record shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRecord {
    /// Who voted.
    pub reviewer: String,
    /// `approve` or `deny`.
    pub vote: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl ExchangeRecord {
    /// Folds the events of one exchange, in order. `None` when there is none.
    pub fn from_events(events: &[AuditEvent]) -> Option<Self> {
        let mut record = Self::starting_with(events.first()?);
        for event in events {
            record.apply(event);
        }
        Some(record)
    }

    /// The record of an exchange of which nothing but its id and first time is known; the first event is still to be
    /// [applied](Self::apply). For stores that keep records as events come in.
    pub fn starting_with(first: &AuditEvent) -> Self {
        Self {
            id: first.exchange,
            session: None,
            started_at: first.at,
            ended_at: None,
            subject: String::new(),
            issuer: String::new(),
            groups: BTreeSet::new(),
            client: None,
            kind: CallerKind::Person,
            upstream: String::new(),
            dialect: String::new(),
            model: String::new(),
            stream: false,
            decision: Action::Allow,
            rules: Vec::new(),
            masks: Vec::new(),
            outcome: None,
            status: None,
            code: None,
            approval: None,
            votes: Vec::new(),
            policy_version: String::new(),
            not_scanned: Vec::new(),
            request: None,
            response: None,
        }
    }

    /// The same without `request` and `response`, as lists show it.
    #[must_use]
    pub fn without_content(mut self) -> Self {
        self.request = None;
        self.response = None;
        self
    }

    /// Adds the next event.
    pub fn apply(&mut self, event: &AuditEvent) {
        match &event.kind {
            EventKind::Opened(opening) => {
                self.started_at = event.at;
                self.session.clone_from(&opening.session);
                self.subject.clone_from(&opening.actor.subject);
                self.issuer.clone_from(&opening.actor.issuer);
                self.groups.clone_from(&opening.actor.groups);
                self.client.clone_from(&opening.actor.client);
                self.kind = opening.actor.kind;
                self.upstream.clone_from(&opening.upstream);
                self.dialect.clone_from(&opening.dialect);
                self.model.clone_from(&opening.model);
                self.stream = opening.stream;
                self.decision = opening.decision;
                self.rules.extend(opening.hits.iter().map(RuleRef::from));
                self.rules.sort();
                self.rules.dedup();
                self.masks.clone_from(&opening.masks);
                self.approval = opening.approval.or(self.approval);
                self.policy_version.clone_from(&opening.policy_version);
                self.not_scanned.clone_from(&opening.not_scanned);
                self.request = Some(opening.request.clone());
            }
            EventKind::Delivered { text, .. } => self.response.get_or_insert_default().push_str(text),
            EventKind::Matched(hit) => {
                let rule = RuleRef::from(hit);
                if let Err(at) = self.rules.binary_search(&rule) {
                    self.rules.insert(at, rule);
                }
            }
            EventKind::Approval { approval, step } => {
                self.approval = Some(*approval);
                if let ApprovalStep::Voted {
                    reviewer,
                    approve,
                    reason,
                    ..
                } = step
                {
                    self.votes.push(VoteRecord {
                        reviewer: reviewer.subject.clone(),
                        vote: if *approve { "approve" } else { "deny" }.to_owned(),
                        at: event.at,
                        reason: reason.clone(),
                    });
                }
            }
            EventKind::Closed(closing) => {
                self.ended_at = Some(event.at);
                self.outcome = Some(closing.outcome);
                self.status = Some(closing.status);
                self.code.clone_from(&closing.code);
                self.decision = self.decision.max(closing.decision);
                self.masks.extend(closing.masks.iter().cloned());
                self.not_scanned.extend(closing.not_scanned.iter().cloned());
            }
            EventKind::Refused { code, status, .. } => {
                self.ended_at = Some(event.at);
                self.outcome = Some(Outcome::Refused);
                // Nobody decided by policy, yet nothing was allowed: a list must not say so.
                self.decision = Action::Block;
                self.status = Some(*status);
                self.code = Some(code.clone());
            }
            EventKind::Revoked(withdrawal) => {
                self.ended_at = Some(event.at);
                self.outcome = Some(Outcome::Completed);
                self.status = Some(200);
                self.code = Some("access_revoked".to_owned());
                if let Some(by) = &withdrawal.by {
                    self.subject.clone_from(&by.subject);
                    self.issuer.clone_from(&by.issuer);
                    self.groups.clone_from(&by.groups);
                    self.client.clone_from(&by.client);
                    self.kind = by.kind;
                }
            }
        }
    }
}
