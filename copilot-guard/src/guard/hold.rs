//! Waiting for a vote.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use super::Guard;
use super::catch::catch_async;
use crate::approval::{Approval, ApprovalState, Claim, ClaimError};

/// How long a wait may sleep without looking at the clock.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What waiting came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Approved, used for this request, and on record.
    Released,
    /// Denied; the text says so to the developer.
    Denied(String),
    /// Its time ran out, or it does not cover this request any more.
    Expired,
    /// The store, or the record of its events, is not available.
    Unavailable,
}

pub(super) type Waiting = Pin<Box<dyn Future<Output = Held> + Send>>;

/// Waits until the approval is settled. Never returns while it is pending; dropping it changes nothing.
pub(super) fn wait(guard: &Guard, approval: Approval, claim: Claim) -> Waiting {
    let guard = guard.clone();
    Box::pin(async move {
        let settled = catch_async(AssertUnwindSafe(settle(&guard, approval, claim))).await;
        settled.unwrap_or(Held::Unavailable)
    })
}

async fn settle(guard: &Guard, mut approval: Approval, mut claim: Claim) -> Held {
    let store = guard.inner.approvals.clone();
    loop {
        claim.now = guard.now();
        match approval.state {
            ApprovalState::Denied => return Held::Denied(denied_message(&approval)),
            ApprovalState::Expired => return Held::Expired,
            ApprovalState::Approved | ApprovalState::Consumed => match store.claim(approval.id, &claim).await
            {
                // Not one byte goes up before the vote and this use of it are on record.
                Ok(_) if guard.drain_outbox().await.is_ok() => return Held::Released,
                Ok(_) | Err(ClaimError::Store(_)) => return Held::Unavailable,
                Err(_) => return Held::Expired,
            },
            ApprovalState::Pending if claim.now >= approval.expires_at => {
                if store.expire(claim.now).await.is_err() {
                    return Held::Unavailable;
                }
                return Held::Expired;
            }
            ApprovalState::Pending => {}
        }
        // Looked at again now and then: its time may run out without a change.
        let changed = store.changed(approval.id, approval.revision);
        match tokio::time::timeout(LOOK_AGAIN, changed).await {
            Ok(Ok(changed)) => approval = changed,
            Ok(Err(_)) => return Held::Unavailable,
            Err(_) => {}
        }
    }
}

/// What the developer is told of a denial: the last reviewer's reason is for the record, not for the screen.
pub(super) fn denied_message(approval: &Approval) -> String {
    let rule = &approval.message;
    format!("A reviewer has denied this. {rule}").trim().to_owned()
}
