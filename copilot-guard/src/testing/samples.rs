//! Events and approvals to test with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::approval::{Approval, ApprovalState, Claim, Digest, Requirement, Vote};
use crate::audit::{Actor, AuditEvent, Closing, EventKind, Opening, Outcome};
use crate::clock::Timestamp;
use crate::decision::{Action, RuleHit, Stage};
use crate::id::{ApprovalId, Entropy, ExchangeId};

/// When the samples happen.
pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn entropy(n: u64) -> Entropy {
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&n.to_be_bytes());
    entropy
}

/// The exchange number `n`.
pub fn exchange_id(n: u64) -> ExchangeId {
    ExchangeId::new(NOW, entropy(n))
}

/// The approval number `n`.
pub fn approval_id(n: u64) -> ApprovalId {
    ApprovalId::new(NOW, entropy(n))
}

/// Somebody with one account, who is their own person.
pub fn actor(name: &str, groups: &[&str]) -> Actor {
    Actor {
        subject: name.to_owned(),
        issuer: "https://idp.example".to_owned(),
        person: format!("https://idp.example#{name}"),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        client: Some("editor".to_owned()),
        kind: Default::default(),
    }
}

/// An allowed chat request by `name`.
pub fn opening(name: &str) -> Opening {
    Opening {
        actor: actor(name, &["developers"]),
        upstream: "default".to_owned(),
        dialect: "openai_chat".to_owned(),
        model: "gpt-5".to_owned(),
        stream: true,
        session: None,
        user_agent: None,
        decision: Action::Allow,
        hits: Vec::new(),
        policy_version: "v1".to_owned(),
        not_scanned: Vec::new(),
        masks: Vec::new(),
        approval: None,
        digest: Digest::of(&[name.as_bytes()]).to_string(),
        request: r#"{"messages":[{"role":"user","content":"line 1\nzeile 2 \u0000 äöü 🦀"}]}"#.to_owned(),
    }
}

/// A rule that matched.
pub fn hit(rule: &str, action: Action) -> RuleHit {
    RuleHit {
        id: rule.to_owned(),
        action,
        stage: Stage::Output,
        place: "choices[0].content".to_owned(),
        reason: "regex 1 of 1".to_owned(),
        observed_only: false,
        severity: None,
        tags: Vec::new(),
    }
}

/// The events of exchange number `n` from first to last: opened, two deliveries, a match, closed. It begins `n` seconds
/// after [`NOW`].
pub fn exchange(n: u64, opening: Opening) -> Vec<AuditEvent> {
    let at = |millis| {
        NOW.plus(Duration::from_millis(
            n.saturating_mul(1000).saturating_add(millis),
        ))
    };
    let mut closing = Closing::new(Outcome::Completed, 200, Action::Mask);
    closing.delivered = 11;
    let kinds = [
        EventKind::Opened(Box::new(opening)),
        EventKind::Delivered {
            offset: 0,
            text: "Hello\n".to_owned(),
        },
        EventKind::Matched(hit("secrets", Action::Mask)),
        EventKind::Delivered {
            offset: 6,
            text: "world".to_owned(),
        },
        EventKind::Closed(Box::new(closing)),
    ];
    let id = exchange_id(n);
    (0..)
        .zip(kinds)
        .map(|(seq, kind)| AuditEvent::new(id, seq, at(seq), kind))
        .collect()
}

/// A pending approval number `n` of a request by `name`, which one person of `security` must approve within 10 minutes;
/// then nothing may ride on it.
pub fn approval(n: u64, name: &str) -> Approval {
    Approval {
        id: approval_id(n),
        revision: 0,
        state: ApprovalState::Pending,
        exchange: exchange_id(n),
        requester: actor(name, &["developers", "security"]),
        digest: Digest::of(&[b"request of", name.as_bytes()]),
        rules: vec!["prod-data".to_owned()],
        requirement: Requirement {
            any: vec![BTreeMap::from([("security".to_owned(), 1)])],
        },
        message: "production data needs a second person".to_owned(),
        model: "gpt-5".to_owned(),
        dialect: "openai_chat".to_owned(),
        covers: BTreeSet::from([Digest::of(&[b"finding"])]),
        tools: BTreeSet::from(["shell".to_owned()]),
        shown: Vec::new(),
        policy_version: "v1".to_owned(),
        opened_at: NOW.plus(Duration::from_secs(n)),
        expires_at: NOW.plus(Duration::from_secs(600)),
        rides_until: NOW.plus(Duration::from_secs(1200)),
        ride_seconds: 100_000,
        rides_left: 0,
        votes: Vec::new(),
    }
}

/// The claim of the request that opened `approval`.
pub fn claim(approval: &Approval, now: Timestamp) -> Claim {
    Claim {
        exchange: approval.exchange,
        person: approval.requester.person.clone(),
        model: approval.model.clone(),
        digest: approval.digest.clone(),
        findings: approval.covers.iter().cloned().collect(),
        rules: approval.rules.clone(),
        tools: approval.tools.iter().cloned().collect(),
        now,
    }
}

/// A vote by `name`, who is in `security`, at [`NOW`].
pub fn vote(name: &str, approve: bool) -> Vote {
    Vote {
        reviewer: actor(name, &["security"]),
        approve,
        reason: "looked at it".to_owned(),
        at: NOW,
    }
}
