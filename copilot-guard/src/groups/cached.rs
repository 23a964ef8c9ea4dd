//! [`CachedResolver`]: one question for many that wait.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};

use super::{GroupQuery, GroupResolver, ResolveError};
use crate::outbound::{Bounded, Flight, Fresh};

/// Answers of so many accounts are kept.
const ACCOUNTS: usize = 10_000;
/// How long an answer is kept: so long somebody who left a group may still count as its member.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// How long the directory may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a failure counts for those that ask next.
const FAILED: Duration = Duration::from_secs(1);

const SLOW: ResolveError = ResolveError::message("it takes longer than 2 s");

/// Keeps what a resolver answers: for five minutes, never beyond the end of the token that asked, for a bounded number of
/// accounts. Requests of one account that come together ask once. An answer that takes longer than two seconds is a
/// failure; failures count for a second, and never as "no groups".
#[derive(Debug, Clone)]
pub struct CachedResolver<R> {
    inner: Arc<R>,
    kept: Arc<Bounded<Flight<Arc<BTreeSet<String>>>>>,
}

impl<R: GroupResolver> CachedResolver<R> {
    /// Around this resolver.
    pub fn new(inner: R) -> Self {
        Self {
            inner: Arc::new(inner),
            kept: Arc::new(Bounded::new(ACCOUNTS)),
        }
    }
}

#[async_trait]
impl<R: GroupResolver> GroupResolver for CachedResolver<R> {
    async fn resolve(&self, query: GroupQuery<'_>) -> Result<BTreeSet<String>, ResolveError> {
        let now = query.now;
        if query.expires_at <= now {
            // Accepted because clocks differ a little; its answer is not kept at all.
            let answer = tokio::time::timeout(PATIENCE, self.inner.resolve(query));
            return answer.await.unwrap_or(Err(SLOW));
        }
        let mut key = Sha256::new();
        // The length keeps an issuer and a key from being read as another pair.
        key.update((query.issuer.len() as u64).to_be_bytes());
        key.update(query.issuer);
        key.update(query.key);
        let flight = self.kept.entry(
            key.finalize().into(),
            |kept| kept.is_alive(now),
            || Flight::new(FAILED),
        );
        let fetch = || {
            let (inner, issuer, key) = (self.inner.clone(), query.issuer.to_owned(), query.key.to_owned());
            let expires_at = query.expires_at;
            async move {
                let asked = GroupQuery::new(&issuer, &key, expires_at, now);
                let answer = AssertUnwindSafe(inner.resolve(asked)).catch_unwind();
                let answer = match tokio::time::timeout(PATIENCE, answer).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(_)) => Err(ResolveError::message("the resolver panicked")),
                    Err(_) => Err(SLOW),
                };
                let groups = answer
                    .inspect_err(|error| {
                        let error: &dyn std::error::Error = error;
                        tracing::warn!(code = "groups_unavailable", issuer, error, "groups cannot be had");
                    })
                    .ok()?;
                let ends = now.plus(KEPT).min(expires_at);
                Some(Fresh {
                    value: Arc::new(groups),
                    refresh_at: ends,
                    ends,
                })
            }
        };
        let kept = flight.get(|_| false, now, fetch).await;
        kept.map(|groups| BTreeSet::clone(&groups))
            .ok_or(ResolveError::message("it failed; the log says why"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Notify;

    use super::*;
    use crate::clock::Timestamp;

    /// Does for each key what it says, and notes the questions.
    #[derive(Debug, Default)]
    struct Directory {
        asked: Mutex<Vec<String>>,
        begun: Notify,
        go: Notify,
    }

    #[derive(Debug, Clone, Default)]
    struct Shared(Arc<Directory>);

    #[async_trait]
    impl GroupResolver for Shared {
        async fn resolve(&self, query: GroupQuery<'_>) -> Result<BTreeSet<String>, ResolveError> {
            let count = {
                let mut asked = self.0.asked.lock().unwrap();
                asked.push(format!("{} {}", query.issuer, query.key));
                asked.len()
            };
            self.0.begun.notify_one();
            match query.key {
                "broken" => return Err(ResolveError::message("broken")),
                "slow" => std::future::pending::<()>().await,
                "panic" => panic!("boom"),
                "held" => self.0.go.notified().await,
                _ => {}
            }
            Ok(BTreeSet::from([format!("{}-{count}", query.key)]))
        }
    }

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn at(secs: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(secs))
    }

    async fn groups(
        resolver: &CachedResolver<Shared>,
        issuer: &str,
        key: &str,
        now: u64,
        ends: u64,
    ) -> Option<String> {
        let query = GroupQuery::new(issuer, key, at(ends), at(now));
        let groups = resolver.resolve(query).await.ok()?;
        Some(groups.into_iter().collect::<Vec<_>>().join(","))
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_account_until_its_end() {
        let resolver = CachedResolver::new(Shared::default());
        let rows = [
            (("i", "a"), 0, 3600, "a-1"),
            (("i", "a"), 299, 3600, "a-1"),
            (("i", "a"), 300, 3600, "a-2"),
            (("j", "a"), 300, 3600, "a-3"),
            (("ia", ""), 300, 3600, "-4"),
            // Never beyond the end of the token that asked.
            (("i", "b"), 0, 60, "b-5"),
            (("i", "b"), 59, 60, "b-5"),
            (("i", "b"), 60, 3600, "b-6"),
            // A token that has just ended: asked for, not kept.
            (("i", "c"), 60, 60, "c-7"),
            (("i", "c"), 60, 60, "c-8"),
        ];
        for ((issuer, key), now, ends, wanted) in rows {
            let got = groups(&resolver, issuer, key, now, ends).await;
            assert_eq!(got.as_deref(), Some(wanted), "{issuer} {key} {now}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_never_no_groups_and_soon_forgotten() {
        for key in ["broken", "slow", "panic"] {
            let directory = Shared::default();
            let resolver = CachedResolver::new(directory.clone());
            for now in [0, 0, 1, 2] {
                assert_eq!(groups(&resolver, "i", key, now, 3600).await, None, "{key}");
            }
            assert_eq!(directory.0.asked.lock().unwrap().len(), 3, "{key}");
        }
    }

    #[tokio::test]
    async fn one_question_for_many() {
        let directory = Shared::default();
        let resolver = CachedResolver::new(directory.clone());
        let mut tasks: Vec<_> = (0..20)
            .map(|_| {
                let resolver = resolver.clone();
                tokio::spawn(async move { groups(&resolver, "i", "held", 0, 3600).await })
            })
            .collect();
        directory.0.begun.notified().await;
        tasks.remove(0).abort();
        directory.0.go.notify_one();
        for task in tasks {
            assert_eq!(task.await.unwrap().as_deref(), Some("held-1"));
        }
    }
}
