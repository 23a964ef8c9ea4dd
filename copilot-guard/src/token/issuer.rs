//! One issuer at run time: its rules, the state of its keys, and the fetch that renews them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::config::KeySource;
use super::fetcher::MAX_DOCUMENT;
use super::jwks::KeySet;
use super::rotation::{Rotation, Step};
use super::rules::Rules;
use super::strict_json::Json;
use super::{FetchError, Fetched, KeyFetcher, TokenError, url};
use crate::clock::Timestamp;

/// For each document.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// An issuer whose tokens are verified.
#[derive(Debug)]
pub(super) struct Issuer {
    rules: Rules,
    keys: Arc<Keys>,
}

/// What a fetch needs; shared with its task, which outlives the request that started it.
struct Keys {
    issuer: String,
    address: Option<Address>,
    allow_http_loopback: bool,
    fetcher: Arc<dyn KeyFetcher>,
    /// Never held across an await.
    state: Mutex<Rotation>,
    /// Held by the task that fetches, and only by it: whoever waits for the lock waits for the fetch.
    flight: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone)]
enum Address {
    Keys(String),
    Discovery(String),
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("address", &self.address)
            .field("fetcher", &self.fetcher)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    pub(super) fn new(
        rules: Rules,
        source: KeySource,
        fetcher: Arc<dyn KeyFetcher>,
        allow_http_loopback: bool,
    ) -> Self {
        let (rotation, address) = match source {
            KeySource::Fixed(keys) => (Rotation::fixed(keys), None),
            KeySource::Uri(url) => (Rotation::new(), Some(Address::Keys(url))),
            KeySource::Discovery(url) => (Rotation::new(), Some(Address::Discovery(url))),
        };
        let keys = Keys {
            issuer: rules.issuer.clone(),
            address,
            allow_http_loopback,
            fetcher,
            state: Mutex::new(rotation),
            flight: Arc::default(),
        };
        Self {
            rules,
            keys: Arc::new(keys),
        }
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        self.keys.state().is_ready(now)
    }

    /// The key set that has `kid`. Waits only when no usable set has it.
    pub(super) async fn keys_for(&self, kid: &str, now: Timestamp) -> Result<Arc<KeySet>, TokenError> {
        let in_flight = self.keys.flight.try_lock().is_err();
        let step = self.keys.state().step(kid, now, in_flight);
        match step {
            Step::Use { keys, refresh } => {
                if refresh {
                    // Detached: this request does not need it.
                    drop(self.start_if_due(now));
                }
                Ok(keys)
            }
            Step::Refuse => Err(TokenError::Invalid("unknown_kid")),
            Step::Unavailable => Err(TokenError::Unavailable),
            Step::Fetch | Step::Wait => {
                let guard = Arc::clone(&self.keys.flight).lock_owned().await;
                // Another request may have fetched while this one stood in the queue.
                let step = self.keys.state().step(kid, now, false);
                if matches!(step, Step::Fetch) {
                    // A panic in the fetcher ends its task; the old state stands.
                    let _ = self.start(guard, now).await;
                }
                self.outcome(kid, now)
            }
        }
    }

    /// Starts a refresh when one is due and none is under way.
    pub(super) fn start_if_due(&self, now: Timestamp) -> Option<JoinHandle<()>> {
        let guard = Arc::clone(&self.keys.flight).try_lock_owned().ok()?;
        let due = self.keys.state().is_due(now);
        due.then(|| self.start(guard, now))
    }

    fn outcome(&self, kid: &str, now: Timestamp) -> Result<Arc<KeySet>, TokenError> {
        let state = self.keys.state();
        match state.step(kid, now, false) {
            Step::Use { keys, .. } => Ok(keys),
            _ if state.is_ready(now) => Err(TokenError::Invalid("unknown_kid")),
            _ => Err(TokenError::Unavailable),
        }
    }

    /// In a task of its own: a client that hangs up must not cancel the fetch that others wait for.
    fn start(&self, guard: OwnedMutexGuard<()>, now: Timestamp) -> JoinHandle<()> {
        self.keys.state().begin(now);
        let keys = Arc::clone(&self.keys);
        tokio::spawn(async move {
            let fetched = keys.fetch().await;
            if let Err(error) = &fetched {
                let why: &dyn std::error::Error = error;
                tracing::warn!(issuer = %keys.issuer, error = why, "identity keys were not renewed");
            }
            keys.state().finish(fetched.ok(), now);
            drop(guard);
        })
    }
}

impl Keys {
    /// A panic while it was held left at worst an older state, which is a valid one.
    fn state(&self) -> MutexGuard<'_, Rotation> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), FetchError> {
        let address = match &self.address {
            Some(Address::Keys(url)) => url.clone(),
            Some(Address::Discovery(url)) => self.discover(url).await?,
            None => return Err(FetchError::message("the keys of this issuer are fixed")),
        };
        let document = self.get(&address).await?;
        let keys = KeySet::parse(&document.body).map_err(|why| FetchError::new("no usable key set", why))?;
        Ok((keys, document.max_age))
    }

    async fn discover(&self, url: &str) -> Result<String, FetchError> {
        let document = self.get(url).await?;
        let document = Json::parse_object(&document.body)
            .map_err(|_| FetchError::message("the discovery document is not strict JSON"))?;
        // Another issuer's document would bring another issuer's keys under this one's name.
        if document.get("issuer").and_then(Json::as_str) != Some(self.issuer.as_str()) {
            return Err(FetchError::message(
                "the discovery document names another issuer: copy its `issuer` exactly",
            ));
        }
        let address = document
            .get("jwks_uri")
            .and_then(Json::as_str)
            .ok_or(FetchError::message("the discovery document has no `jwks_uri`"))?;
        url::check(address, self.allow_http_loopback).map_err(|why| FetchError::new("jwks_uri", why))?;
        Ok(address.to_owned())
    }

    async fn get(&self, url: &str) -> Result<Fetched, FetchError> {
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.fetcher.get(url))
            .await
            .map_err(|_| FetchError::message("no answer within 5 s"))??;
        if fetched.body.len() > MAX_DOCUMENT {
            return Err(FetchError::message("the document has more than 1 MiB"));
        }
        Ok(fetched)
    }
}
