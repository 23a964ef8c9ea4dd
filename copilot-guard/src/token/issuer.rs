//! One issuer at run time: its rules, the state of its keys, and the fetch that renews them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::compile::{Compiled, KeySource};
use super::fetcher::MAX_DOCUMENT;
use super::jwks::KeySet;
use super::rotation::{FILE_TTL, Rotation, Step};
use super::rules::Rules;
use super::strict_json::Json;
use super::{FetchError, Fetched, KeyFetcher, TokenError, url};
use crate::clock::Timestamp;
use crate::groups::GroupResolver;

/// For each document.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// An issuer whose tokens are verified.
#[derive(Debug)]
pub(super) struct Issuer {
    rules: Rules,
    keys: Arc<Keys>,
    pub(super) resolver: Option<Arc<dyn GroupResolver>>,
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
    /// How many fetches have ended, well or not.
    ended: AtomicU64,
}

/// Counts the end of a fetch, even one that panics.
struct Ending(Arc<Keys>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Clone)]
enum Address {
    File(PathBuf),
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
    pub(super) fn new(compiled: Compiled, fetcher: Arc<dyn KeyFetcher>) -> Self {
        let (rotation, address) = match compiled.source {
            KeySource::Fixed(keys) => (Rotation::fixed(keys), None),
            KeySource::File(path) => (Rotation::file(), Some(Address::File(path))),
            KeySource::Uri(url) => (Rotation::new(), Some(Address::Keys(url))),
            KeySource::Discovery(url) => (Rotation::new(), Some(Address::Discovery(url))),
        };
        let rules = compiled.rules;
        let keys = Keys {
            issuer: rules.issuer.clone(),
            address,
            allow_http_loopback: compiled.allow_http_loopback,
            fetcher,
            state: Mutex::new(rotation),
            flight: Arc::default(),
            ended: AtomicU64::new(0),
        };
        Self {
            rules,
            keys: Arc::new(keys),
            resolver: compiled.resolver,
        }
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        self.keys.state().is_ready(now)
    }

    /// See [`Rotation::generation`].
    pub(super) fn generation(&self, now: Timestamp) -> Option<u64> {
        self.keys.state().generation(now)
    }

    /// The key set that has `kid`, and its generation. Waits only when no usable set has it.
    pub(super) async fn keys_for(&self, kid: &str, now: Timestamp) -> Result<(Arc<KeySet>, u64), TokenError> {
        let before = self.keys.ended.load(Ordering::SeqCst);
        let in_flight = self.keys.flight.try_lock().is_err();
        let step = self.keys.state().step(kid, now, in_flight);
        match step {
            Step::Use {
                keys,
                generation,
                refresh,
            } => {
                if refresh {
                    // Detached: this request does not need it.
                    drop(self.start_if_due(now));
                }
                Ok((keys, generation))
            }
            Step::Refuse => Err(TokenError::Invalid("unknown_kid")),
            Step::Unavailable => Err(TokenError::Unavailable),
            Step::Fetch | Step::Wait => {
                let guard = Arc::clone(&self.keys.flight).lock_owned().await;
                // Another request may have fetched while this one stood in the queue. Its failure is this one's too:
                // were each to try again, the last of them would wait for all those before it.
                let has_ended = self.keys.ended.load(Ordering::SeqCst) != before;
                if has_ended && !self.is_ready(now) {
                    return Err(TokenError::Unavailable);
                }
                let step = self.keys.state().step(kid, now, false);
                if matches!(step, Step::Fetch) {
                    self.keys.state().begin_for_token(now);
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
        let mut state = self.keys.state();
        if !state.is_due(now) {
            return None;
        }
        state.begin(now);
        drop(state);
        Some(self.start(guard, now))
    }

    fn outcome(&self, kid: &str, now: Timestamp) -> Result<(Arc<KeySet>, u64), TokenError> {
        let state = self.keys.state();
        match state.step(kid, now, false) {
            Step::Use { keys, generation, .. } => Ok((keys, generation)),
            _ if state.is_ready(now) => Err(TokenError::Invalid("unknown_kid")),
            _ => Err(TokenError::Unavailable),
        }
    }

    /// Starts the fetch that was begun. In a task of its own: a client that hangs up must not cancel the fetch that
    /// others wait for.
    fn start(&self, guard: OwnedMutexGuard<()>, now: Timestamp) -> JoinHandle<()> {
        let keys = Arc::clone(&self.keys);
        tokio::spawn(async move {
            let ending = Ending(Arc::clone(&keys));
            let fetched = keys.fetch().await;
            if let Err(error) = &fetched {
                let why: &dyn std::error::Error = error;
                tracing::warn!(issuer = %keys.issuer, error = why, "identity keys were not renewed");
            }
            keys.state().finish(fetched.ok(), now);
            // Counted before the next in the queue looks.
            drop(ending);
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
        let document = match &self.address {
            Some(Address::File(path)) => read_file(path).await?,
            Some(Address::Keys(url)) => self.get(url).await?,
            Some(Address::Discovery(url)) => {
                let url = self.discover(url).await?;
                self.get(&url).await?
            }
            None => return Err(FetchError::message("the keys of this issuer are fixed")),
        };
        let keys = KeySet::parse(&document.body, &self.issuer)
            .map_err(|why| FetchError::new("no usable key set", why))?;
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

/// The key set in a file, with the time it may be kept.
async fn read_file(path: &Path) -> Result<Fetched, FetchError> {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let mut body = Vec::new();
        let bound = u64::try_from(MAX_DOCUMENT).unwrap_or(u64::MAX);
        // One more than allowed, to tell a file that is just as long from a longer one.
        std::fs::File::open(path)?
            .take(bound.saturating_add(1))
            .read_to_end(&mut body)?;
        Ok::<_, std::io::Error>(body)
    });
    let body = tokio::time::timeout(FETCH_TIMEOUT, reading)
        .await
        .map_err(|_| FetchError::message("the file could not be read within 5 s"))?
        .map_err(|why| FetchError::new("the file could not be read", why))?
        .map_err(|why| FetchError::new("the file cannot be read", why))?;
    if body.len() > MAX_DOCUMENT {
        return Err(FetchError::message("the file has more than 1 MiB"));
    }
    Ok(Fetched::new(body).with_max_age(FILE_TTL))
}
