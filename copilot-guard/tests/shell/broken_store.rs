//! An approval store that fails or panics: nothing goes up, and nothing else is hurt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use copilot_guard::approval::{
    Approval, ApprovalStore, Claim, ClaimError, Joined, ListFilter, StoreError, Vote, VoteError,
};
use copilot_guard::audit::{AuditEvent, Outcome};
use copilot_guard::clock::Timestamp;
use copilot_guard::id::{ApprovalId, ExchangeId};
use copilot_guard::memory::MemoryStore;
use copilot_guard::testing::SinkMode;

use crate::support::*;

const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

/// A memory store that fails (1) or panics (2) in one call.
#[derive(Debug)]
struct Broken {
    store: MemoryStore,
    call: &'static str,
    how: AtomicU8,
}

impl Broken {
    fn at(&self, call: &str) -> Result<(), StoreError> {
        if call != self.call {
            return Ok(());
        }
        match self.how.load(Ordering::SeqCst) {
            0 => Ok(()),
            1 => Err(StoreError::message("told to fail")),
            _ => panic!("told to panic"),
        }
    }
}

#[async_trait]
impl ApprovalStore for Broken {
    async fn open(&self, proposal: Approval, by: ExchangeId, now: Timestamp) -> Result<Joined, StoreError> {
        self.at("open")?;
        self.store.open(proposal, by, now).await
    }
    async fn vote(&self, id: ApprovalId, vote: Vote) -> Result<Approval, VoteError> {
        self.store.vote(id, vote).await
    }
    async fn claim(&self, id: ApprovalId, claim: &Claim) -> Result<Approval, ClaimError> {
        self.at("claim")?;
        self.store.claim(id, claim).await
    }
    async fn get(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        self.store.get(id).await
    }
    async fn list(&self, filter: &ListFilter) -> Result<Vec<Approval>, StoreError> {
        self.at("list")?;
        self.store.list(filter).await
    }
    async fn expire(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        self.at("expire")?;
        self.store.expire(now).await
    }
    async fn changed(&self, id: ApprovalId, seen: u64) -> Result<Approval, StoreError> {
        self.at("changed")?;
        self.store.changed(id, seen).await
    }
    async fn outbox(&self, limit: usize) -> Result<Vec<AuditEvent>, StoreError> {
        self.at("outbox")?;
        self.store.outbox(limit).await
    }
    async fn outbox_done(&self, ids: &[String]) -> Result<(), StoreError> {
        self.at("outbox_done")?;
        self.store.outbox_done(ids).await
    }
}

fn house(call: &'static str, how: u8) -> House {
    let store = MemoryStore::new().with_outbox();
    let broken = Broken {
        store: store.clone(),
        call,
        how: AtomicU8::new(how),
    };
    House::assemble(
        Model::new([Answer::json(HELLO)]),
        |_| {},
        Names,
        store,
        Arc::new(broken),
    )
}

#[tokio::test(start_paused = true)]
async fn at_the_opening_of_an_approval() {
    for call in ["open", "list"] {
        for how in [1, 2] {
            for stream in [true, false] {
                let house = house(call, how);
                let got = house.ask(post(CHAT, prompt("production", stream))).await;
                assert_eq!(
                    (got.status, got.code().as_str()),
                    (503, "approvals_unavailable"),
                    "{call} {how}: {got:?}"
                );
                assert_eq!(house.outcome().await, Outcome::Refused);
                assert_eq!(house.model.calls(), 0);
                assert_eq!(
                    house.ask(post(CHAT, prompt("hi", false))).await.status,
                    200,
                    "others go on"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_waits_and_at_the_release() {
    for call in ["changed", "claim", "outbox", "outbox_done"] {
        for how in [1, 2] {
            let house = house(call, how);
            let mut response = house.send(streamed(CHAT, "production")).await;
            let first = one_piece(response.body_mut()).await.unwrap();
            house.vote(true).await;
            let body = first + &read(response).await.body;
            assert!(
                chat_texts(&body)["0.content"].contains("cannot be checked right now"),
                "{call} {how}: {body}"
            );
            assert_eq!(house.model.calls(), 0, "{call} {how}");
            let events = house.record().await;
            assert_eq!(closings(&events)[0].outcome, Outcome::Refused, "{call} {how}");
        }
    }
}

/// The task that expires approvals and moves their events outlives a panic of the store.
#[tokio::test(start_paused = true)]
async fn upkeep_goes_on() {
    let house = house("expire", 2);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let response = house.send(streamed(CHAT, "production")).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let approval = |e: &AuditEvent| matches!(e.kind, copilot_guard::audit::EventKind::Approval { .. });
    assert!(
        house.sink.events().iter().any(approval),
        "the approval's event reached the sink"
    );
    drop(response);
}

/// The vote cannot be recorded: nothing goes up on it.
#[tokio::test(start_paused = true)]
async fn a_vote_that_is_not_on_record_releases_nothing() {
    for mode in [SinkMode::Fail, SinkMode::Panic] {
        let house = House::new(Model::new([Answer::json(HELLO)]));
        let mut call = house.call(post(CHAT, prompt("production", false)));
        for _ in 0..100 {
            assert!(poll_once(&mut call).await.is_pending());
            tokio::task::yield_now().await;
        }
        house.sink.set_mode(mode);
        house.vote(true).await;
        let got = read(call.await.unwrap()).await;
        assert_eq!((got.status, house.model.calls()), (503, 0), "{got:?}");
        house.sink.set_mode(SinkMode::Store);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(house.closings().await[0].outcome, Outcome::Refused);
    }
}
