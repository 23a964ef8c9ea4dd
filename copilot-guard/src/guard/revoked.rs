//! What was withdrawn: the list that every request is held against, and the watch on streams that are open.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
/// How long the store may take for one call: who hangs must not keep others from being stopped.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
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
    /// What the store has not kept yet.
    unkept: Mutex<Vec<Revocation>>,
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
            unkept: Mutex::default(),
            logouts: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> &Arc<dyn AccessStore> {
        &self.store
    }

    /// Whether a logout token was taken before. On another replica it may have been: there it does the same once more, and
    /// withdraws nothing that was issued later.
    pub(super) fn was_taken(&self, issuer: &str, id: &str, now: Timestamp) -> bool {
        let mut logouts = self.logouts.lock().unwrap_or_else(PoisonError::into_inner);
        logouts.retain(|_, at| now.since(*at) < LOGOUTS_KEPT);
        logouts.contains_key(&(issuer.to_owned(), id.to_owned()))
    }

    /// A logout token has done its work.
    pub(super) fn take(&self, issuer: &str, id: &str, now: Timestamp) {
        let mut logouts = self.logouts.lock().unwrap_or_else(PoisonError::into_inner);
        logouts.insert((issuer.to_owned(), id.to_owned()), now);
    }

    /// Reads the list anew, and offers the store again what it has not kept.
    pub(super) async fn renew(&self, now: Timestamp) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        for revocation in self.unkept() {
            if self.keep(&revocation).await.is_err() {
                break;
            }
        }
        self.read(now).await
    }

    /// With the turn in hand.
    async fn read(&self, now: Timestamp) -> Result<(), StoreError> {
        let all = in_time(self.store.revocations(now)).await?;
        // What the store has not kept counts here all the same.
        let unkept = self.unkept();
        let list = RevocationList::new(all.iter().chain(&unkept));
        if **self.list.load() != list {
            self.list.store(Arc::new(list));
            self.changes.send_modify(|n| *n = n.wrapping_add(1));
        }
        self.read_at.store(now.as_millis(), Ordering::Release);
        Ok(())
    }

    /// Keeps a revocation. It counts from now on, and is offered to the store until that has it.
    pub(super) async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        self.waiting().push(revocation.clone());
        self.list.rcu(|list| {
            let mut list = RevocationList::clone(list);
            list.add(revocation);
            list
        });
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
        let _turn = self.turn.lock().await;
        self.keep(revocation).await
    }

    /// With the turn in hand, so that no reading falls between the store's word and ours.
    async fn keep(&self, revocation: &Revocation) -> Result<(), StoreError> {
        in_time(self.store.revoke(revocation)).await?;
        self.waiting().retain(|other| other != revocation);
        Ok(())
    }

    fn unkept(&self) -> Vec<Revocation> {
        self.waiting().clone()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Revocation>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this caller's access was withdrawn, by the list as it is.
    pub(super) fn stops(&self, identity: &Identity) -> bool {
        self.list.load().stops(identity)
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
                self.read(now).await
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
        match self.stops(identity) {
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

/// A call of the store, which may hang or panic.
async fn in_time<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STORE_PATIENCE, catch_async(AssertUnwindSafe(call))).await {
        Ok(Some(done)) => done,
        Ok(None) => Err(StoreError::message("the access store panicked")),
        Err(_) => Err(StoreError::message("the access store did not answer within 5 s")),
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
