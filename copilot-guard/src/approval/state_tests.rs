//! Random sequences of operations against a model that knows nothing of the implementation, and single cases.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::approval::{Digest, Requirement};
use crate::id::ApprovalId;

const OPENED: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Person, account, groups. `req` and `req-admin` are one human.
const CAST: [(&str, &str, &[&str]); 8] = [
    ("req", "req", &["security", "legal", "ciso"]),
    ("req", "req-admin", &["security", "legal", "ciso"]),
    ("ann", "ann", &["security"]),
    ("bob", "bob", &["legal"]),
    ("cat", "cat", &["security", "legal"]),
    ("cat", "cat-admin", &["security", "legal"]),
    ("dan", "dan", &["ciso"]),
    ("eve", "eve", &["sales"]),
];

fn actor(who: usize) -> Actor {
    let (person, subject, groups) = CAST[who];
    Actor {
        subject: subject.to_owned(),
        issuer: "https://idp.example".to_owned(),
        person: person.to_owned(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        client: None,
        kind: Default::default(),
    }
}

fn approval() -> Approval {
    let both = BTreeMap::from([("security".to_owned(), 1), ("legal".to_owned(), 1)]);
    let alone = BTreeMap::from([("ciso".to_owned(), 1)]);
    Approval {
        id: ApprovalId::new(OPENED, [1; 10]),
        revision: 0,
        state: ApprovalState::Pending,
        exchange: ExchangeId::new(OPENED, [2; 10]),
        requester: actor(0),
        digest: Digest::of(&[b"request"]),
        rules: vec!["prod-data".to_owned()],
        requirement: Requirement {
            any: vec![both, alone],
        },
        message: String::new(),
        model: "gpt".to_owned(),
        dialect: "chat".to_owned(),
        covers: BTreeSet::from([Digest::of(&[b"finding"])]),
        tools: BTreeSet::from(["shell".to_owned()]),
        shown: Vec::new(),
        policy_version: "v1".to_owned(),
        opened_at: OPENED,
        expires_at: OPENED.plus(Duration::from_secs(100)),
        rides_until: OPENED.plus(Duration::from_secs(150)),
        ride_seconds: 1000,
        rides_left: 2,
        votes: Vec::new(),
    }
}

fn vote(who: usize, approve: bool, at: Timestamp) -> Vote {
    Vote {
        reviewer: actor(who),
        approve,
        reason: "because".to_owned(),
        at,
    }
}

fn claim(now: Timestamp) -> Claim {
    Claim {
        exchange: ExchangeId::new(now, [3; 10]),
        person: "req".to_owned(),
        model: "gpt".to_owned(),
        digest: Digest::of(&[b"request"]),
        findings: vec![Digest::of(&[b"finding"])],
        rules: vec!["prod-data".to_owned()],
        tools: vec!["shell".to_owned()],
        now,
    }
}

// === Against a model ===

#[derive(Debug, Clone, Copy)]
enum Operation {
    Vote(usize, bool),
    Claim(Attempt),
    Expire,
    Wait(u64),
}

/// How a claim deviates from the approved request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Same,
    OtherDigest,
    OtherPerson,
    OtherModel,
    NewFinding,
    NewRule,
    NewTool,
}

fn operation() -> impl Strategy<Value = Operation> {
    let attempt = prop_oneof![
        6 => Just(Attempt::Same),
        2 => Just(Attempt::OtherDigest),
        1 => Just(Attempt::OtherPerson),
        1 => Just(Attempt::OtherModel),
        1 => Just(Attempt::NewFinding),
        1 => Just(Attempt::NewRule),
        1 => Just(Attempt::NewTool),
    ];
    prop_oneof![
        8 => (0..CAST.len(), prop::bool::weighted(0.8)).prop_map(|(who, yes)| Operation::Vote(who, yes)),
        4 => attempt.prop_map(Operation::Claim),
        1 => Just(Operation::Expire),
        2 => (1u64..40).prop_map(Operation::Wait),
    ]
}

/// The machine under test; the negative controls put broken ones in its place.
struct Machine {
    vote: fn(&Approval, Vote) -> Change<VoteError>,
    claim: fn(&Approval, &Claim) -> Change<ClaimError>,
}

const REAL: Machine = Machine {
    vote: Approval::on_vote,
    claim: Approval::on_claim,
};

/// What must be true, told again from the rules and for this cast only.
#[derive(Default)]
struct Model {
    elapsed: u64,
    yes: BTreeSet<&'static str>,
    ended: Option<&'static str>,
    releases: u32,
    rides: u32,
}

impl Model {
    fn quorum(&self) -> bool {
        let has = |p| self.yes.contains(p);
        has("dan") || (has("ann") && (has("bob") || has("cat"))) || (has("cat") && has("bob"))
    }

    fn state(&self) -> &'static str {
        match self.ended {
            Some(state) => state,
            None if self.releases > 0 => "consumed",
            None if self.quorum() => "approved",
            None => "pending",
        }
    }

    fn lapse(&mut self) {
        if self.elapsed >= 100 && matches!(self.state(), "pending" | "approved") {
            self.ended = Some("expired");
        }
    }

    /// Whether the vote must be counted.
    fn vote(&mut self, who: usize, approve: bool) -> bool {
        self.lapse();
        let person = CAST[who].0;
        let open = if approve {
            self.state() == "pending"
        } else {
            matches!(self.state(), "pending" | "approved")
        };
        if person == "req" || person == "eve" || !open || (approve && self.yes.contains(person)) {
            return false;
        }
        if approve {
            self.yes.insert(person);
        } else {
            self.ended = Some("denied");
        }
        true
    }

    /// Whether the claim must succeed.
    fn claim(&mut self, attempt: Attempt) -> bool {
        self.lapse();
        match self.state() {
            "approved" if attempt == Attempt::Same => self.releases += 1,
            "approved" if attempt == Attempt::OtherDigest && self.rides < 2 => self.rides += 1,
            "consumed" if matches!(attempt, Attempt::Same | Attempt::OtherDigest) => {
                if self.elapsed >= 150 || self.rides == 2 {
                    return false;
                }
                self.rides += 1;
            }
            _ => return false,
        }
        true
    }
}

fn follows_model(machine: &Machine, operations: &[Operation]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let mut now = approval();
    let mut ids = BTreeSet::new();
    for operation in operations {
        let at = OPENED.plus(Duration::from_secs(model.elapsed));
        let before = now.revision;
        let events = match *operation {
            Operation::Wait(seconds) => {
                model.elapsed += seconds;
                Vec::new()
            }
            Operation::Vote(who, approve) => {
                let change = (machine.vote)(&now, vote(who, approve, at));
                prop_assert_eq!(
                    change.refused.is_none(),
                    model.vote(who, approve),
                    "{:?}",
                    operation
                );
                now = change.approval;
                change.events
            }
            Operation::Claim(attempt) => {
                let mut claim = claim(at);
                match attempt {
                    Attempt::Same => {}
                    Attempt::OtherDigest => claim.digest = Digest::of(&[b"another"]),
                    Attempt::OtherPerson => claim.person = "ann".to_owned(),
                    Attempt::OtherModel => claim.model = "other".to_owned(),
                    Attempt::NewFinding => claim.findings.push(Digest::of(&[b"unseen"])),
                    Attempt::NewRule => claim.rules.push("unseen".to_owned()),
                    Attempt::NewTool => claim.tools.push("unseen".to_owned()),
                }
                let change = (machine.claim)(&now, &claim);
                prop_assert_eq!(change.refused.is_none(), model.claim(attempt), "{:?}", operation);
                now = change.approval;
                change.events
            }
            Operation::Expire => {
                model.lapse();
                let expired = now.expire(at);
                expired
                    .map(|(next, step)| {
                        now = next;
                        vec![now.event(at, step)]
                    })
                    .unwrap_or_default()
            }
        };
        // `Wait` alone changes nothing in the machine, so the model must not be asked to lapse for it either.
        prop_assert_eq!(now.state.as_str(), model.state(), "after {:?}", operation);
        prop_assert_eq!(
            now.revision - before,
            events.len() as u64,
            "each change has its event"
        );
        for event in events {
            prop_assert!(ids.insert(event.id.clone()), "event id {} comes twice", event.id);
        }
    }
    Ok(())
}

fn sequences() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 0..25)
}

proptest! {
    #![proptest_config(Config::with_cases(2_000))]
    #[test]
    fn any_sequence_follows_the_model(operations in sequences()) {
        follows_model(&REAL, &operations)?;
    }
}

/// Negative control: whether the same property notices `machine`.
fn is_noticed(machine: &Machine) -> bool {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(2_000)
    };
    TestRunner::new(config)
        .run(&sequences(), |operations| follows_model(machine, &operations))
        .is_err()
}

#[test]
fn the_property_notices_broken_machines() {
    let self_approving = Machine {
        vote: |approval, vote| {
            let mut other = approval.clone();
            other.requester.person = "nobody".to_owned();
            other.requester.subject = "nobody".to_owned();
            let mut change = other.on_vote(vote);
            change.approval.requester = approval.requester.clone();
            change
        },
        ..REAL
    };
    let deaf_to_denial = Machine {
        vote: |approval, vote| {
            let mut change = approval.on_vote(vote);
            if change.approval.state == ApprovalState::Denied {
                change.approval.state = approval.state;
            }
            change
        },
        ..REAL
    };
    let reusable = Machine {
        claim: |approval, claim| {
            let mut change = approval.on_claim(claim);
            if approval.state == ApprovalState::Approved {
                change.approval.state = ApprovalState::Approved;
            }
            change
        },
        ..REAL
    };
    let timeless = Machine {
        claim: |approval, claim| {
            approval.on_claim(&Claim {
                now: OPENED,
                ..claim.clone()
            })
        },
        ..REAL
    };
    assert!(!is_noticed(&REAL));
    for (name, machine) in [
        ("self-approving", self_approving),
        ("deaf to denial", deaf_to_denial),
        ("reusable", reusable),
        ("timeless", timeless),
    ] {
        assert!(is_noticed(&machine), "{name} was not noticed");
    }
}

// === Single cases ===

fn after(votes: &[(usize, bool)]) -> Approval {
    votes.iter().fold(approval(), |a, (who, approve)| {
        a.on_vote(vote(*who, *approve, OPENED)).approval
    })
}

#[test]
fn denial_overrides_approval_until_it_is_used() {
    let approved = after(&[(2, true), (3, true)]);
    assert_eq!(approved.state, ApprovalState::Approved);
    let changed_mind = approved.on_vote(vote(2, false, OPENED));
    assert!(changed_mind.refused.is_none());
    assert_eq!(changed_mind.approval.state, ApprovalState::Denied);
    let undone = changed_mind.approval.on_vote(vote(6, true, OPENED));
    assert!(matches!(
        undone.refused,
        Some(VoteError::Settled(ApprovalState::Denied))
    ));

    let consumed = approved.on_claim(&claim(OPENED)).approval;
    assert_eq!(consumed.state, ApprovalState::Consumed);
    let too_late = consumed.on_vote(vote(2, false, OPENED));
    assert!(matches!(
        too_late.refused,
        Some(VoteError::Settled(ApprovalState::Consumed))
    ));
}

#[test]
fn the_end_is_exclusive_and_a_late_vote_expires_it() {
    let end = approval().expires_at;
    let just_before = end.minus(Duration::from_millis(1));
    assert!(approval().on_vote(vote(6, true, just_before)).refused.is_none());
    let late = approval().on_vote(vote(6, true, end));
    assert!(matches!(
        late.refused,
        Some(VoteError::Settled(ApprovalState::Expired))
    ));
    assert_eq!(late.approval.state, ApprovalState::Expired);
    assert_eq!(late.events.len(), 2, "the expiry and the refused vote");

    let approved = after(&[(6, true)]);
    assert!(approved.on_claim(&claim(just_before)).refused.is_none());
    assert_eq!(
        approved.on_claim(&claim(end)).approval.state,
        ApprovalState::Expired
    );
}

#[test]
fn refused_votes_are_recorded_with_their_code() {
    let codes: Vec<String> = [(0, true), (1, false), (7, true)]
        .iter()
        .map(|(who, approve)| {
            let change = approval().on_vote(vote(*who, *approve, OPENED));
            assert_eq!(change.approval.state, ApprovalState::Pending);
            match &change.events[0].kind {
                crate::audit::EventKind::Approval {
                    step: ApprovalStep::VoteRefused { code, .. },
                    ..
                } => code.clone(),
                other => panic!("unexpected {other:?}"),
            }
        })
        .collect();
    assert_eq!(codes, ["own_request", "own_request", "not_a_reviewer"]);
    let twice = after(&[(2, true)]).on_vote(vote(2, true, OPENED));
    assert!(matches!(twice.refused, Some(VoteError::AlreadyVoted)));
}

#[test]
fn only_the_same_request_joins_and_only_while_it_lives() {
    let open = approval();
    let (early, end) = (OPENED, open.expires_at);
    assert!(open.can_join(&approval(), early));
    assert!(!open.can_join(&approval(), end));
    let mut other = approval();
    other.digest = Digest::of(&[b"another"]);
    assert!(!open.can_join(&other, early));
    let mut other = approval();
    other.requester = actor(2);
    assert!(!open.can_join(&other, early));
    let mut other = approval();
    other.rules.push("new-rule".to_owned());
    assert!(
        !open.can_join(&other, early),
        "the policy asks for more than this approval covers"
    );
    assert!(
        after(&[(2, false)]).can_join(&approval(), early),
        "a denied request stays denied until its end"
    );
    let mut consumed = after(&[(6, true)]).on_claim(&claim(OPENED)).approval;
    assert!(consumed.can_join(&approval(), end));
    consumed.rides_left = 0;
    assert!(!consumed.can_join(&approval(), end));
}
