//! What happens by itself: approvals run out, votes reach the sink, counts of refusals are written, revocations are read.

use std::panic::AssertUnwindSafe;
use std::sync::Weak;
use std::time::Duration;

use super::catch::catch_async;
use super::{Guard, Inner};

const EVERY: Duration = Duration::from_secs(2);

pub(super) async fn run(inner: Weak<Inner>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let guard = Guard { inner };
        let now = guard.now();
        match catch_async(AssertUnwindSafe(guard.inner.approvals.expire(now))).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => tracing::error!(%error, "approvals could not be expired"),
            None => tracing::error!("the approval store panicked"),
        }
        // Tried again at the next tick; a release waits for it on its own.
        let _ = guard.drain_outbox().await;
        let summaries = guard.refusals().due(now);
        guard.record_summaries(summaries, now);
    }
}

/// Apart from the rest: what hangs there must not keep withdrawn access alive here.
pub(super) async fn run_revocations(inner: Weak<Inner>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let now = inner.clock.now();
        if let Err(error) = inner.revoked.renew(now).await {
            tracing::error!(%error, "revocations could not be read or kept");
        }
    }
}
