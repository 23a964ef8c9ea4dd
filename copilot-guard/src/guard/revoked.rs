//! What was withdrawn: the list that every request is held against, and the watch on streams that are open.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Guard;
use super::catch::catch_async;
use crate::access::{AccessStore, Revocation, RevocationList, StoreError};
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::token::TokenError;

/// How old the list may be before a request waits for a fresh one.
const MAX_AGE: Duration = Duration::from_secs(30);
/// Longer than a logout token is good for.
const LOGOUTS_KEPT: Duration = Duration::from_secs(15 * 60);
/// How long a request waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The list in force, and when it was read.
pub(super) struct Revoked {
    store: Arc<dyn AccessStore>,
    list: ArcSwap<RevocationList>,
    /// Milliseconds since the Unix epoch; the least value before the first time.
    read_at: AtomicI64,
    /// Counts changes of the list.
    changes: watch::Sender<u64>,
    /// One reader at a time.
    turn: tokio::sync::Mutex<()>,
    /// Logout tokens that were taken, and when.
    logouts: Mutex<HashMap<(String, String), Timestamp>>,
}

impl Revoked {
    pub(super) fn new(store: Arc<dyn AccessStore>) -> Self {
        Self {
            store,
            list: ArcSwap::default(),
            read_at: AtomicI64::new(i64::MIN),
            changes: watch::Sender::new(0),
            turn: tokio::sync::Mutex::default(),
            logouts: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> &Arc<dyn AccessStore> {
        &self.store
    }

    /// Whether a logout token was not taken before. On another replica it may have been: there it does the same once
    /// more, and withdraws nothing that was issued later.
    pub(super) fn is_new(&self, issuer: &str, id: &str, now: Timestamp) -> bool {
        let mut logouts = self.logouts.lock().unwrap_or_else(PoisonError::into_inner);
        logouts.retain(|_, at| now.since(*at) < LOGOUTS_KEPT);
        logouts.insert((issuer.to_owned(), id.to_owned()), now).is_none()
    }

    /// Reads the list anew.
    pub(super) async fn read(&self, now: Timestamp) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.read_alone(now).await
    }

    async fn read_alone(&self, now: Timestamp) -> Result<(), StoreError> {
        let read = catch_async(AssertUnwindSafe(self.store.revocations(now)));
        let all = read
            .await
            .unwrap_or_else(|| Err(StoreError::message("the access store panicked")))?;
        let list = RevocationList::new(&all);
        if **self.list.load() != list {
            self.list.store(Arc::new(list));
            self.changes.send_modify(|n| *n = n.wrapping_add(1));
        }
        self.read_at.store(now.as_millis(), Ordering::Release);
        Ok(())
    }

    /// Keeps a revocation; it counts from now on, whether or not the store took it.
    pub(super) async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let mut list = (**self.list.load()).clone();
        list.add(revocation);
        self.list.store(Arc::new(list));
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
        let kept = catch_async(AssertUnwindSafe(self.store.revoke(revocation))).await;
        kept.unwrap_or_else(|| Err(StoreError::message("the access store panicked")))
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let read_at = Timestamp::from_millis(self.read_at.load(Ordering::Acquire));
        // In both directions: a clock that is set back must not keep an old list for ever.
        now.since(read_at) <= MAX_AGE && read_at.since(now) <= MAX_AGE
    }

    /// Whether this caller may come in.
    pub(super) async fn check(&self, identity: &Identity, now: Timestamp) -> Result<(), TokenError> {
        if !self.is_fresh(now) {
            let read = async {
                let _turn = self.turn.lock().await;
                if self.is_fresh(now) {
                    return Ok(());
                }
                self.read_alone(now).await
            };
            match tokio::time::timeout(PATIENCE, read).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "revocations cannot be read: nobody is let in");
                    return Err(TokenError::RevocationsUnavailable);
                }
                Err(_) => return Err(TokenError::RevocationsUnavailable),
            }
        }
        match self.list.load().stops(identity) {
            true => Err(TokenError::Invalid("revoked")),
            false => Ok(()),
        }
    }
}

impl std::fmt::Debug for Welcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Welcome(..)")
    }
}

/// Watches whether a caller's access is withdrawn while an answer, a hold or a tunnel is open.
#[derive(Clone)]
pub(super) struct Welcome {
    guard: Guard,
    identity: Arc<Identity>,
    changes: watch::Receiver<u64>,
}

impl Guard {
    /// Watches over this caller from now on.
    pub(super) fn welcome(&self, identity: Arc<Identity>) -> Welcome {
        let mut changes = self.inner.revoked.changes.subscribe();
        // What changed before is looked at once, with the first question.
        changes.mark_changed();
        Welcome {
            guard: self.clone(),
            identity,
            changes,
        }
    }
}

impl Welcome {
    /// Whether access was withdrawn. Cheap while nothing has changed.
    pub(super) fn is_over(&mut self) -> bool {
        match self.changes.has_changed() {
            Ok(true) => {
                self.changes.mark_unchanged();
                self.guard.inner.revoked.list.load().stops(&self.identity)
            }
            _ => false,
        }
    }

    /// What `work` brings; `None` when access is withdrawn before.
    pub(super) async fn unless_over<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        if self.is_over() {
            return None;
        }
        let over = self.over();
        tokio::select! {
            biased;
            done = work => Some(done),
            () = over => None,
        }
    }

    /// Returns once access is withdrawn. May be dropped and asked again.
    pub(super) fn over(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let mut watch = self.clone();
        async move {
            loop {
                if watch.is_over() {
                    return;
                }
                if watch.changes.changed().await.is_err() {
                    // The guard itself is gone, which a clone of it in here does not allow.
                    std::future::pending::<()>().await;
                }
                watch.changes.mark_changed();
            }
        }
    }
}
