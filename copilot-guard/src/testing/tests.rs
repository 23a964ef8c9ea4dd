//! Our own stores pass the suites; broken ones do not.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::samples;
use super::*;
use crate::approval::{
    Approval, ApprovalStore, Claim, ClaimError, Joined, ListFilter, StoreError, Vote, VoteError,
};
use crate::audit::{
    AuditError, AuditEvent, AuditReader, AuditSink, Durable, ExchangeFilter, ExchangeRecord, JsonLinesSink,
    Page, ReadError,
};
use crate::clock::Timestamp;
use crate::id::{ApprovalId, ExchangeId};
use crate::memory::MemoryStore;

async fn memory() -> MemoryStore {
    MemoryStore::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_passes() {
    audit_sink_contract(memory).await;
    approval_store_contract(memory).await;
    approval_events_contract(memory).await;
    outbox_contract(async || MemoryStore::new().with_outbox()).await;
    approval_store_contract(async || MemoryStore::new().with_outbox()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_pass() {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicU64::new(0);
    audit_sink_contract(async || {
        let n = count.fetch_add(1, Ordering::Relaxed);
        JsonLinesSink::open(folder.path().join(format!("{n}.jsonl")), samples::NOW).unwrap()
    })
    .await;
}

/// A memory store with one thing wrong.
#[derive(Debug, Default)]
struct Broken {
    store: MemoryStore,
    fault: Fault,
}

#[derive(Debug, Default, Clone, Copy)]
enum Fault {
    #[default]
    None,
    ForgetsTheLast,
    KeepsRepeats,
    ClaimsAlways,
    VotesForRequester,
    NeverWakes,
}

#[async_trait]
impl AuditSink for Broken {
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        match self.fault {
            Fault::ForgetsTheLast => self.store.append(&events[..events.len().saturating_sub(1)]).await,
            Fault::KeepsRepeats => {
                let mut renamed = events.to_vec();
                renamed
                    .iter_mut()
                    .for_each(|e| e.id = format!("{}-{}", e.id, rename()));
                self.store.append(&renamed).await
            }
            _ => self.store.append(events).await,
        }
    }
}

fn rename() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

#[async_trait]
impl AuditReader for Broken {
    async fn list(&self, filter: &ExchangeFilter) -> Result<Page<ExchangeRecord>, ReadError> {
        AuditReader::list(&self.store, filter).await
    }

    async fn events(&self, exchange: ExchangeId) -> Result<Vec<AuditEvent>, ReadError> {
        self.store.events(exchange).await
    }
}

#[async_trait]
impl ApprovalStore for Broken {
    async fn open(&self, proposal: Approval, by: ExchangeId, now: Timestamp) -> Result<Joined, StoreError> {
        self.store.open(proposal, by, now).await
    }

    async fn vote(&self, id: ApprovalId, mut vote: Vote) -> Result<Approval, VoteError> {
        if matches!(self.fault, Fault::VotesForRequester) && vote.reviewer.subject == "ann" {
            vote.reviewer = samples::actor("somebody", &["security"]);
        }
        self.store.vote(id, vote).await
    }

    async fn claim(&self, id: ApprovalId, claim: &Claim) -> Result<Approval, ClaimError> {
        match (self.fault, self.store.claim(id, claim).await) {
            (Fault::ClaimsAlways, Err(ClaimError::NotCovered)) => {
                self.store.get(id).await?.ok_or(ClaimError::NotFound)
            }
            (_, answer) => answer,
        }
    }

    async fn get(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        self.store.get(id).await
    }

    async fn list(&self, filter: &ListFilter) -> Result<Vec<Approval>, StoreError> {
        ApprovalStore::list(&self.store, filter).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        self.store.expire(now).await
    }

    async fn changed(&self, id: ApprovalId, seen: u64) -> Result<Approval, StoreError> {
        match self.fault {
            Fault::NeverWakes => std::future::pending().await,
            _ => self.store.changed(id, seen).await,
        }
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<AuditEvent>, StoreError> {
        self.store.outbox(limit).await
    }

    async fn outbox_done(&self, ids: &[String]) -> Result<(), StoreError> {
        self.store.outbox_done(ids).await
    }
}

/// Negative control: each suite notices its faults, and the same store without a fault passes.
#[tokio::test(flavor = "multi_thread")]
async fn the_suites_notice_broken_stores() {
    let make = |fault| {
        move || async move {
            Broken {
                store: MemoryStore::new(),
                fault,
            }
        }
    };
    for (fault, passes) in [
        (Fault::None, true),
        (Fault::ForgetsTheLast, false),
        (Fault::KeepsRepeats, false),
    ] {
        let suite = tokio::spawn(audit_sink_contract(make(fault)));
        assert_eq!(suite.await.is_ok(), passes, "{fault:?}");
    }
    for (fault, passes) in [
        (Fault::None, true),
        (Fault::ClaimsAlways, false),
        (Fault::VotesForRequester, false),
        (Fault::NeverWakes, false),
    ] {
        let suite = tokio::spawn(approval_store_contract(make(fault)));
        assert_eq!(suite.await.is_ok(), passes, "{fault:?}");
    }
}

#[tokio::test]
async fn the_recording_sink_misbehaves_on_demand() {
    let sink = RecordingSink::new();
    let events = samples::exchange(1, samples::opening("ann"));
    sink.set_mode(SinkMode::Fail);
    assert!(sink.append(&events).await.is_err());
    sink.set_mode(SinkMode::Panic);
    let panicking = tokio::spawn({
        let (sink, events) = (sink.clone(), events.clone());
        async move { sink.append(&events).await.is_ok() }
    });
    assert!(panicking.await.is_err());
    sink.set_mode(SinkMode::Stall);
    let stalled = tokio::spawn({
        let (sink, events) = (sink.clone(), events.clone());
        async move { sink.append(&events).await.is_ok() }
    });
    tokio::task::yield_now().await;
    assert!(!stalled.is_finished() && sink.events().is_empty());
    sink.set_mode(SinkMode::Store);
    assert!(stalled.await.unwrap());
    assert_eq!(sink.events(), events);
}
