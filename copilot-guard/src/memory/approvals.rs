//! The approvals' half of the memory store.

use std::time::Duration;

use async_trait::async_trait;

use super::{Content, MemoryStore};
use crate::approval::{
    Approval, ApprovalStore, Claim, ClaimError, Joined, ListFilter, StoreError, Vote, VoteError,
};
use crate::audit::AuditEvent;
use crate::clock::Timestamp;
use crate::id::{ApprovalId, ExchangeId};

/// How long an approval is kept once it can neither be voted on nor used.
const KEPT: Duration = Duration::from_secs(24 * 3600);

impl MemoryStore {
    /// Commits one change: the approval and its events together, then wakes who waits.
    fn commit(&self, content: &mut Content, approval: &Approval, events: Vec<AuditEvent>) {
        if events.is_empty() {
            return;
        }
        content.approvals.insert(approval.id, approval.clone());
        for event in events {
            if self.outbox {
                content.outbox.push_back(event);
            } else {
                content.log.push(event);
            }
        }
        self.inner.changes.send_modify(|n| *n = n.wrapping_add(1));
    }
}

#[async_trait]
impl ApprovalStore for MemoryStore {
    async fn open(&self, proposal: Approval, by: ExchangeId, now: Timestamp) -> Result<Joined, StoreError> {
        let mut content = self.lock();
        if let Some(same) = content.approvals.get(&proposal.id) {
            // The same call again, after an answer that got lost.
            return Ok(Joined {
                approval: same.clone(),
                joined: false,
            });
        }
        let newest = |is_meant: &dyn Fn(&&Approval) -> bool| {
            let meant = content.approvals.values().filter(is_meant);
            meant.max_by_key(|a| (a.opened_at, a.id))
        };
        let older =
            newest(&|a| a.can_join(&proposal, now)).or_else(|| newest(&|a| a.can_widen(&proposal, now)));
        let (approval, step, joined) = match older {
            Some(older) => {
                let (approval, step) = older.join(by, &proposal);
                (approval, step, true)
            }
            None => {
                let (approval, step) = proposal.opened();
                (approval, step, false)
            }
        };
        let events = vec![approval.event(now, step)];
        self.commit(&mut content, &approval, events);
        Ok(Joined { approval, joined })
    }

    async fn vote(&self, id: ApprovalId, vote: Vote) -> Result<Approval, VoteError> {
        let mut content = self.lock();
        let change = content
            .approvals
            .get(&id)
            .ok_or(VoteError::NotFound)?
            .on_vote(vote);
        self.commit(&mut content, &change.approval, change.events);
        change.refused.map_or(Ok(change.approval), Err)
    }

    async fn claim(&self, id: ApprovalId, claim: &Claim) -> Result<Approval, ClaimError> {
        let mut content = self.lock();
        let change = content
            .approvals
            .get(&id)
            .ok_or(ClaimError::NotFound)?
            .on_claim(claim);
        self.commit(&mut content, &change.approval, change.events);
        change.refused.map_or(Ok(change.approval), Err)
    }

    async fn get(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        Ok(self.lock().approvals.get(&id).cloned())
    }

    async fn list(&self, filter: &ListFilter) -> Result<Vec<Approval>, StoreError> {
        let content = self.lock();
        let mut found: Vec<&Approval> = content
            .approvals
            .values()
            .filter(|a| filter.state.is_none_or(|s| a.state == s))
            .filter(|a| filter.person.as_ref().is_none_or(|p| &a.requester.person == p))
            .collect();
        found.sort_by_key(|a| std::cmp::Reverse((a.opened_at, a.id)));
        Ok(found
            .into_iter()
            .take(filter.limit.unwrap_or(100))
            .cloned()
            .collect())
    }

    async fn expire(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let mut content = self.lock();
        let ended: Vec<_> = content.approvals.values().filter_map(|a| a.expire(now)).collect();
        let mut approvals = Vec::with_capacity(ended.len());
        for (approval, step) in ended {
            let events = vec![approval.event(now, step)];
            self.commit(&mut content, &approval, events);
            approvals.push(approval);
        }
        // Nothing can be asked of these any more, and memory is not where the record is kept.
        content
            .approvals
            .retain(|_, a| now < a.expires_at.max(a.rides_until).plus(KEPT));
        Ok(approvals)
    }

    async fn changed(&self, id: ApprovalId, seen: u64) -> Result<Approval, StoreError> {
        // Subscribed before the look, so that no change falls between the two.
        let mut changes = self.inner.changes.subscribe();
        loop {
            let approval = self.lock().approvals.get(&id).cloned();
            let approval = approval.ok_or_else(|| StoreError::message("no such approval"))?;
            if approval.revision > seen {
                return Ok(approval);
            }
            changes
                .changed()
                .await
                .map_err(|e| StoreError::new("the store is gone", e))?;
        }
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<AuditEvent>, StoreError> {
        Ok(self.lock().outbox.iter().take(limit).cloned().collect())
    }

    async fn outbox_done(&self, ids: &[String]) -> Result<(), StoreError> {
        self.lock().outbox.retain(|event| !ids.contains(&event.id));
        Ok(())
    }
}
