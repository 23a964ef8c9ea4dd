//! What every approval store must do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::samples::{self, NOW};
use crate::approval::{
    Approval, ApprovalState, ApprovalStore, ClaimError, Digest, ListFilter, Requirement, VoteError,
};
use crate::audit::{ApprovalStep, AuditEvent, AuditReader, EventKind};

/// How long a change by another task may take to be noticed. Generous, because test machines are slow.
const NOTICED: Duration = Duration::from_secs(5);

/// Checks that what `make` makes, a new empty store each time, keeps the promises of [`ApprovalStore`].
///
/// # Panics
/// When it does not.
pub async fn approval_store_contract<S, F, Fut>(make: F)
where
    S: ApprovalStore,
    F: Fn() -> Fut,
    Fut: Future<Output = S>,
{
    opens_and_joins(&make().await).await;
    the_same_turn_widens(&make().await).await;
    lists_newest_first(&make().await).await;
    refuses_votes_that_do_not_count(&make().await).await;
    needs_its_quorum(&make().await).await;
    lets_denial_win(make().await).await;
    ends_on_time(&make().await).await;
    binds_claims(&make().await).await;
    releases_once(make().await).await;
    wakes_who_waits(make().await).await;
}

/// Checks a store that is its own audit sink: every step of an approval is an event of its exchange.
///
/// # Panics
/// When it is not.
pub async fn approval_events_contract<S, F, Fut>(make: F)
where
    S: ApprovalStore + AuditReader,
    F: Fn() -> Fut,
    Fut: Future<Output = S>,
{
    let store = make().await;
    live_a_life(&store).await;
    check_life(&store.events(samples::exchange_id(1)).await.expect("the events"));
    assert!(
        store.outbox(10).await.expect("an answer").is_empty(),
        "a sink needs no outbox"
    );
}

/// Checks a store with an outbox: every step of an approval waits there, in order, until it is done.
///
/// # Panics
/// When it does not.
pub async fn outbox_contract<S, F, Fut>(make: F)
where
    S: ApprovalStore,
    F: Fn() -> Fut,
    Fut: Future<Output = S>,
{
    let store = make().await;
    live_a_life(&store).await;
    let events = store.outbox(100).await.expect("the outbox");
    check_life(&events);
    assert_eq!(store.outbox(2).await.expect("the outbox"), events[..2]);
    let ids: Vec<_> = events[..2].iter().map(|e| e.id.clone()).collect();
    store.outbox_done(&ids).await.expect("an answer");
    store.outbox_done(&ids).await.expect("done twice does no harm");
    assert_eq!(store.outbox(100).await.expect("the outbox"), events[2..]);
}

async fn open(store: &impl ApprovalStore, proposal: Approval) -> Approval {
    let by = proposal.exchange;
    let opened = store.open(proposal, by, NOW).await.expect("it opens");
    assert!(!opened.joined);
    opened.approval
}

async fn live_a_life(store: &impl ApprovalStore) {
    let mut proposal = samples::approval(1, "ann");
    proposal.rides_left = 1;
    let approval = open(store, proposal).await;
    store
        .open(samples::approval(2, "ann"), samples::exchange_id(2), NOW)
        .await
        .expect("it joins");
    store
        .vote(approval.id, samples::vote("ann", true))
        .await
        .expect_err("her own request");
    store
        .vote(approval.id, samples::vote("bob", true))
        .await
        .expect("it counts");
    store
        .claim(approval.id, &samples::claim(&approval, NOW))
        .await
        .expect("it is approved");
    let mut rider = samples::claim(&approval, NOW);
    rider.digest = Digest::of(&[b"next turn"]);
    store.claim(approval.id, &rider).await.expect("it rides");
    store
        .claim(approval.id, &rider)
        .await
        .expect_err("no ride is left");
}

fn check_life(events: &[AuditEvent]) {
    let steps: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Approval { step, .. } => Some(match step {
                ApprovalStep::Opened { .. } => "opened",
                ApprovalStep::Joined { .. } => "joined",
                ApprovalStep::Voted { .. } => "voted",
                ApprovalStep::VoteRefused { .. } => "refused",
                ApprovalStep::Expired => "expired",
                ApprovalStep::Consumed { .. } => "consumed",
                ApprovalStep::Ridden { .. } => "ridden",
            }),
            _ => None,
        })
        .collect();
    assert_eq!(
        steps,
        ["opened", "joined", "refused", "voted", "consumed", "ridden"]
    );
    let ids: BTreeSet<_> = events.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), events.len(), "each event has an id of its own");
}

async fn opens_and_joins(store: &impl ApprovalStore) {
    let first = open(store, samples::approval(1, "ann")).await;
    assert_eq!((first.state, first.revision), (ApprovalState::Pending, 0));
    assert_eq!(store.get(first.id).await.expect("an answer"), Some(first.clone()));
    assert_eq!(store.get(samples::approval_id(9)).await.expect("an answer"), None);

    let same = store
        .open(samples::approval(1, "ann"), first.exchange, NOW)
        .await
        .expect("an answer");
    assert_eq!(
        (same.joined, &same.approval),
        (false, &first),
        "the same call again changes nothing"
    );

    let second = store
        .open(samples::approval(2, "ann"), samples::exchange_id(2), NOW)
        .await
        .expect("it joins");
    assert!(second.joined && second.approval.id == first.id && second.approval.revision > first.revision);
    assert_eq!(store.get(samples::approval_id(2)).await.expect("an answer"), None);

    open(store, samples::approval(3, "bob")).await;
    let mut other = samples::approval(4, "ann");
    other.digest = Digest::of(&[b"another request"]);
    other.covers.insert(Digest::of(&[b"another text"]));
    open(store, other).await;
    let late = samples::approval(5, "ann");
    let opened = store
        .open(late, samples::exchange_id(5), first.expires_at)
        .await
        .expect("it opens");
    assert!(!opened.joined, "the first is past its end");

    // A proposal brings no votes and no state of its own.
    let mut forged = samples::approval(6, "cat");
    forged.state = ApprovalState::Approved;
    forged.votes.push(samples::vote("bob", true));
    let forged = open(store, forged).await;
    assert_eq!((forged.state, forged.votes.len()), (ApprovalState::Pending, 0));
}

/// The same turn in another form, at the same time: one approval, which covers the tools of both.
async fn the_same_turn_widens(store: &impl ApprovalStore) {
    let mut first = samples::approval(1, "ann");
    first.rides_left = 2;
    let first = open(store, first).await;
    let mut other = samples::approval(2, "ann");
    other.digest = Digest::of(&[b"the same text, with tools"]);
    other.tools.insert("editor".to_owned());
    let widened = store
        .open(other.clone(), samples::exchange_id(2), NOW)
        .await
        .expect("it joins");
    assert!(widened.joined && widened.approval.id == first.id);
    assert!(widened.approval.tools.contains("editor"));
    // Not once somebody may have read it.
    other.id = samples::approval_id(3);
    other.tools.insert("browser".to_owned());
    let late = first.opened_at.plus(std::time::Duration::from_secs(10));
    let opened = store
        .open(other, samples::exchange_id(3), late)
        .await
        .expect("it opens");
    assert!(!opened.joined);
}

async fn lists_newest_first(store: &impl ApprovalStore) {
    for (n, name) in [(1, "ann"), (2, "bob"), (3, "cat")] {
        open(store, samples::approval(n, name)).await;
    }
    store
        .vote(samples::approval_id(2), samples::vote("dan", true))
        .await
        .expect("it counts");
    let list = async |filter: ListFilter| -> Vec<_> {
        store
            .list(&filter)
            .await
            .expect("a list")
            .into_iter()
            .map(|a| a.id)
            .collect()
    };
    let ids = |numbers: &[u64]| -> Vec<_> { numbers.iter().map(|n| samples::approval_id(*n)).collect() };
    let all = ListFilter::default;
    assert_eq!(list(all()).await, ids(&[3, 2, 1]));
    assert_eq!(
        list(ListFilter {
            limit: Some(2),
            ..all()
        })
        .await,
        ids(&[3, 2])
    );
    assert_eq!(
        list(ListFilter {
            state: Some(ApprovalState::Pending),
            ..all()
        })
        .await,
        ids(&[3, 1])
    );
    assert_eq!(
        list(ListFilter {
            state: Some(ApprovalState::Approved),
            ..all()
        })
        .await,
        ids(&[2])
    );
    let person = Some(samples::actor("ann", &[]).person);
    assert_eq!(list(ListFilter { person, ..all() }).await, ids(&[1]));
}

async fn refuses_votes_that_do_not_count(store: &impl ApprovalStore) {
    let id = open(store, samples::approval(1, "ann")).await.id;
    let mut alias = samples::vote("ann-admin", true);
    alias.reviewer.person = samples::actor("ann", &[]).person;
    let mut outsider = samples::vote("bob", true);
    outsider.reviewer.groups.clear();
    let mut revision = 0;
    for (vote, expected) in [
        (samples::vote("ann", true), "own_request"),
        (alias, "own_request"),
        (outsider, "not_a_reviewer"),
    ] {
        let refused = store.vote(id, vote).await.expect_err("it does not count");
        assert_eq!(refused.code(), expected);
        let now = store.get(id).await.expect("an answer").expect("it is there");
        assert_eq!((now.state, now.votes.len()), (ApprovalState::Pending, 0));
        assert!(now.revision > revision, "a refused vote is recorded");
        revision = now.revision;
    }
    let nowhere = store
        .vote(samples::approval_id(9), samples::vote("bob", true))
        .await;
    assert!(matches!(nowhere, Err(VoteError::NotFound)));
}

async fn needs_its_quorum(store: &impl ApprovalStore) {
    let mut proposal = samples::approval(1, "ann");
    let demand = BTreeMap::from([("security".to_owned(), 1), ("legal".to_owned(), 1)]);
    proposal.requirement = Requirement { any: vec![demand] };
    let approval = open(store, proposal).await;
    let mut both = samples::vote("bob", true);
    both.reviewer.groups.insert("legal".to_owned());
    let one = store.vote(approval.id, both.clone()).await.expect("it counts");
    assert_eq!(one.state, ApprovalState::Pending, "one person is not two");
    let again = store.vote(approval.id, both).await;
    assert!(matches!(again, Err(VoteError::AlreadyVoted)));
    let claim = store.claim(approval.id, &samples::claim(&approval, NOW)).await;
    assert!(matches!(claim, Err(ClaimError::NotCovered)), "not approved yet");
    let two = store
        .vote(approval.id, samples::vote("cat", true))
        .await
        .expect("it counts");
    assert_eq!((two.state, two.votes.len()), (ApprovalState::Approved, 2));
}

async fn lets_denial_win(store: impl ApprovalStore) {
    let id = open(&store, samples::approval(1, "ann")).await.id;
    let store = Arc::new(store);
    let mut voters = JoinSet::new();
    for n in 0..50 {
        let store = Arc::clone(&store);
        voters.spawn(async move {
            store
                .vote(id, samples::vote(&format!("reviewer-{n}"), n != 25))
                .await
                .is_ok()
        });
    }
    while let Some(voter) = voters.join_next().await {
        voter.expect("the voter ends well");
    }
    let denied = store.get(id).await.expect("an answer").expect("it is there");
    assert_eq!(denied.state, ApprovalState::Denied);
    let undo = store.vote(id, samples::vote("late", true)).await;
    assert!(matches!(undo, Err(VoteError::Settled(ApprovalState::Denied))));
    let claim = store.claim(id, &samples::claim(&denied, NOW)).await;
    assert!(matches!(claim, Err(ClaimError::NotCovered)));
    // Sending the same again does not ask the reviewers again.
    let again = store
        .open(samples::approval(2, "ann"), samples::exchange_id(2), NOW)
        .await
        .expect("an answer");
    assert_eq!(
        (again.joined, again.approval.state),
        (true, ApprovalState::Denied)
    );
}

async fn ends_on_time(store: &impl ApprovalStore) {
    let pending = open(store, samples::approval(1, "ann")).await;
    let approved = open(store, samples::approval(2, "bob")).await;
    store
        .vote(approved.id, samples::vote("cat", true))
        .await
        .expect("it counts");
    let used = open(store, samples::approval(3, "dan")).await;
    store
        .vote(used.id, samples::vote("cat", true))
        .await
        .expect("it counts");
    store
        .claim(used.id, &samples::claim(&used, NOW))
        .await
        .expect("it is approved");

    let end = pending.expires_at;
    let before = end.minus(Duration::from_millis(1));
    assert!(store.expire(before).await.expect("an answer").is_empty());
    let mut late = samples::vote("cat", true);
    late.at = end;
    let late = store.vote(pending.id, late).await;
    assert!(
        matches!(late, Err(VoteError::Settled(ApprovalState::Expired))),
        "also when nobody has swept yet"
    );
    let late = store.claim(approved.id, &samples::claim(&approved, end)).await;
    assert!(matches!(late, Err(ClaimError::NotCovered)));
    store.expire(end).await.expect("an answer");
    assert!(
        store.expire(end).await.expect("an answer").is_empty(),
        "nothing ends twice"
    );
    for (id, state) in [
        (pending.id, ApprovalState::Expired),
        (approved.id, ApprovalState::Expired),
        (used.id, ApprovalState::Consumed),
    ] {
        assert_eq!(
            store.get(id).await.expect("an answer").map(|a| a.state),
            Some(state)
        );
    }

    let mut proposal = samples::approval(4, "eve");
    proposal.expires_at = end.plus(Duration::from_secs(1));
    let swept = open(store, proposal).await;
    let ended = store.expire(swept.expires_at).await.expect("an answer");
    assert_eq!(
        ended.iter().map(|a| (a.id, a.state)).collect::<Vec<_>>(),
        [(swept.id, ApprovalState::Expired)]
    );
}

async fn binds_claims(store: &impl ApprovalStore) {
    let mut proposal = samples::approval(1, "ann");
    proposal.rides_left = 1;
    let approval = open(store, proposal).await;
    store
        .vote(approval.id, samples::vote("bob", true))
        .await
        .expect("it counts");
    let same = samples::claim(&approval, NOW);
    let foreign = |change: fn(&mut crate::approval::Claim)| {
        let mut claim = same.clone();
        change(&mut claim);
        claim
    };
    let never = [
        foreign(|c| c.person = "somebody else".to_owned()),
        foreign(|c| c.model = "another model".to_owned()),
        foreign(|c| c.rules.push("another rule".to_owned())),
        foreign(|c| c.findings.push(Digest::of(&[b"not shown"]))),
        foreign(|c| c.tools.push("not shown".to_owned())),
    ];
    let other_request = foreign(|c| c.digest = Digest::of(&[b"another request"]));
    for claim in &never {
        let refused = store.claim(approval.id, claim).await;
        assert!(matches!(refused, Err(ClaimError::NotCovered)), "{claim:?}");
    }
    let consumed = store.claim(approval.id, &same).await.expect("it is approved");
    assert_eq!(consumed.state, ApprovalState::Consumed);
    for claim in &never {
        assert!(store.claim(approval.id, claim).await.is_err(), "{claim:?}");
    }
    let mut late = other_request.clone();
    late.now = approval.rides_until;
    assert!(store.claim(approval.id, &late).await.is_err(), "rides end");
    let ridden = store
        .claim(approval.id, &other_request)
        .await
        .expect("it is covered");
    assert_eq!((ridden.state, ridden.rides_left), (ApprovalState::Consumed, 0));
    assert!(
        store.claim(approval.id, &other_request).await.is_err(),
        "one ride was allowed"
    );
    assert!(matches!(
        store.claim(samples::approval_id(9), &same).await,
        Err(ClaimError::NotFound)
    ));
}

async fn releases_once(store: impl ApprovalStore) {
    let store = Arc::new(store);
    for (n, rides) in [(1, 0), (2, 3)] {
        let mut proposal = samples::approval(n, &format!("requester-{n}"));
        proposal.rides_left = rides;
        let approval = open(&*store, proposal).await;
        store
            .vote(approval.id, samples::vote("bob", true))
            .await
            .expect("it counts");
        let mut claims = JoinSet::new();
        for by in 0..100 {
            let (store, mut claim) = (Arc::clone(&store), samples::claim(&approval, NOW));
            claim.exchange = samples::exchange_id(1000 + by);
            claims.spawn(async move { store.claim(approval.id, &claim).await.is_ok() });
        }
        let mut released = 0;
        while let Some(claim) = claims.join_next().await {
            released += u32::from(claim.expect("the claim ends well"));
        }
        assert_eq!(released, 1 + rides, "of 100 claims at once");
    }
}

async fn wakes_who_waits(store: impl ApprovalStore) {
    let store = Arc::new(store);
    let approval = open(&*store, samples::approval(1, "ann")).await;
    let waiter = tokio::spawn({
        let (store, id, seen) = (Arc::clone(&store), approval.id, approval.revision);
        async move {
            // It may return early; the caller looks again.
            loop {
                let now = store.changed(id, seen).await.expect("an answer");
                if now.revision > seen {
                    return now;
                }
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiter.is_finished(), "nothing has changed yet");
    store
        .vote(approval.id, samples::vote("bob", true))
        .await
        .expect("it counts");
    let woken = timeout(NOTICED, waiter)
        .await
        .expect("it wakes up")
        .expect("the waiter ends well");
    assert_eq!(woken.state, ApprovalState::Approved);
    let known = timeout(NOTICED, store.changed(approval.id, approval.revision))
        .await
        .expect("at once");
    assert_eq!(known.expect("an answer"), woken);
    let unknown = timeout(NOTICED, store.changed(samples::approval_id(9), 0))
        .await
        .expect("at once");
    assert!(unknown.is_err());
}
