//! The verifier against a scripted identity provider.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::Semaphore;

use super::kit::{NOW, TestKey, ed, header, key_set};
use crate::clock::Timestamp;
use crate::token::{
    FetchError, Fetched, IssuerConfig, KeyFetcher, NoFetch, OidcVerifier, TokenError, TokenVerifier as _,
};

pub(super) const ISSUER: &str = "https://idp.example/realms/dev";
const DISCOVERY: &str = "https://idp.example/realms/dev/.well-known/openid-configuration";
const KEYS: &str = "https://keys.example/set";

/// Documents by address, changeable during the test. With `gate`, each answer waits for a permit.
#[derive(Debug, Default)]
pub(super) struct Provider {
    documents: Mutex<HashMap<String, Bytes>>,
    calls: AtomicUsize,
    gate: Option<Semaphore>,
    panics: bool,
    /// Behind the gate.
    panics_late: bool,
}

impl Provider {
    pub(super) fn with(keys: &[&TestKey]) -> Self {
        let provider = Self::default();
        provider.set(
            DISCOVERY,
            json!({ "issuer": ISSUER, "jwks_uri": KEYS }).to_string(),
        );
        provider.publish(keys);
        provider
    }

    fn set(&self, url: &str, body: impl Into<Bytes>) {
        self.documents.lock().unwrap().insert(url.into(), body.into());
    }

    pub(super) fn publish(&self, keys: &[&TestKey]) {
        self.set(KEYS, key_set(keys.iter().copied()));
    }

    fn fail(&self) {
        self.documents.lock().unwrap().clear();
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeyFetcher for Provider {
    async fn get(&self, url: &str) -> Result<Fetched, FetchError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "scripted");
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        assert!(!self.panics_late, "scripted");
        let body = self.documents.lock().unwrap().get(url).cloned();
        body.map(Fetched::new).ok_or(FetchError::message("down"))
    }
}

fn verifier(provider: &Arc<Provider>) -> Arc<OidcVerifier> {
    let fetcher: Arc<dyn KeyFetcher> = Arc::clone(provider) as _;
    Arc::new(
        OidcVerifier::builder(fetcher)
            .issuer(IssuerConfig::new(ISSUER, ["api"]))
            .build()
            .unwrap(),
    )
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW + seconds)
}

/// A token that is good from `NOW` for twenty hours.
fn token(key: &TestKey) -> String {
    let claims = json!({ "iss": ISSUER, "aud": "api", "sub": "u1", "exp": NOW + 72_000 });
    key.token(&header(key.kid, "EdDSA"), &claims)
}

async fn verdict(verifier: &OidcVerifier, key: &TestKey, seconds: i64) -> Result<(), &'static str> {
    verifier
        .verify(&token(key), at(seconds))
        .await
        .map(drop)
        .map_err(|e| e.code())
}

/// Lets the detached refresh run to its end.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn discovers_once_and_follows_a_rotation() {
    let (old, new) = (ed("old"), ed("new"));
    let provider = Arc::new(Provider::with(&[&old]));
    let verifier = verifier(&provider);
    assert!(!verifier.is_ready(at(0)));
    assert_eq!(verdict(&verifier, &old, 0).await, Ok(()));
    assert_eq!(verdict(&verifier, &old, 1).await, Ok(()));
    assert_eq!(provider.calls(), 2, "discovery and keys");
    assert!(verifier.is_ready(at(0)));

    provider.publish(&[&new]);
    assert_eq!(verdict(&verifier, &new, 6).await, Ok(()), "at once");
    assert_eq!(
        verdict(&verifier, &old, 7).await,
        Err("unknown_kid"),
        "gone with the set that dropped it"
    );
    assert_eq!(provider.calls(), 4);
}

#[tokio::test]
async fn unknown_names_do_not_flood_the_provider() {
    let key = ed("k");
    let provider = Arc::new(Provider::with(&[&key]));
    let verifier = verifier(&provider);
    assert_eq!(verdict(&verifier, &key, 0).await, Ok(()));
    for seconds in 0..300 {
        assert_eq!(
            verdict(&verifier, &ed("forged"), seconds).await,
            Err("unknown_kid")
        );
    }
    assert_eq!(provider.calls(), 2 + 2 * 10, "one refresh in 30 seconds");
}

#[tokio::test]
async fn refreshes_in_the_background_ahead_of_time() {
    let (old, new) = (ed("old"), ed("new"));
    let provider = Arc::new(Provider::with(&[&old]));
    let verifier = verifier(&provider);
    assert_eq!(verdict(&verifier, &old, 0).await, Ok(()));
    provider.publish(&[&old, &new]);
    assert_eq!(verdict(&verifier, &old, 720).await, Ok(()));
    settle().await;
    assert_eq!(provider.calls(), 4);
    assert_eq!(
        verdict(&verifier, &new, 721).await,
        Ok(()),
        "known before it was asked for"
    );
    assert_eq!(provider.calls(), 4);
}

#[tokio::test]
async fn an_outage_is_a_503_only_without_keys() {
    let key = ed("k");
    let provider = Arc::new(Provider::with(&[&key]));
    let verifier = verifier(&provider);
    assert_eq!(verdict(&verifier, &key, 0).await, Ok(()));
    provider.fail();
    for seconds in [1000, 4000, 40_000, 71_000] {
        assert_eq!(verdict(&verifier, &key, seconds).await, Ok(()), "{seconds}");
        settle().await;
    }
    assert_eq!(verdict(&verifier, &ed("new"), 71_500).await, Err("unknown_kid"));
    assert_eq!(
        verdict(&verifier, &key, 86_400).await,
        Err("keys_unavailable"),
        "a day is the bound"
    );

    let cold = self::verifier(&provider);
    assert_eq!(verdict(&cold, &key, 0).await, Err("keys_unavailable"));
    assert_eq!(cold.refresh(at(5)).await, Err(TokenError::Unavailable));
    provider.set(
        DISCOVERY,
        json!({ "issuer": ISSUER, "jwks_uri": KEYS }).to_string(),
    );
    provider.publish(&[&key]);
    assert_eq!(verdict(&cold, &key, 8).await, Ok(()), "heals by itself");
}

#[tokio::test]
async fn a_bad_answer_is_a_failed_fetch() {
    let key = ed("k");
    let discovery = |issuer: &str, uri: &str| json!({ "issuer": issuer, "jwks_uri": uri }).to_string();
    // The good key set behind each bad address, so that only the check itself can refuse it.
    let mut big = key_set([&key]).to_vec();
    big.resize(1024 * 1024 + 1, b' ');
    let addresses = [
        "http://keys.example/set",
        "http://169.254.169.254/",
        "http://127.0.0.1/",
        "file:///etc/keys",
    ];
    let rows: Vec<(&str, &str, Bytes)> = vec![
        (
            "issuer with a slash more",
            DISCOVERY,
            discovery(&format!("{ISSUER}/"), KEYS).into(),
        ),
        (
            "another issuer",
            DISCOVERY,
            discovery("https://evil.example", KEYS).into(),
        ),
        (
            "no issuer",
            DISCOVERY,
            json!({ "jwks_uri": KEYS }).to_string().into(),
        ),
        (
            "issuer twice",
            DISCOVERY,
            format!(r#"{{"issuer":"x","issuer":"{ISSUER}","jwks_uri":"{KEYS}"}}"#).into(),
        ),
        (
            "no jwks_uri",
            DISCOVERY,
            json!({ "issuer": ISSUER }).to_string().into(),
        ),
        (
            "jwks_uri without TLS",
            DISCOVERY,
            discovery(ISSUER, "http://keys.example/set").into(),
        ),
        (
            "jwks_uri to the metadata service",
            DISCOVERY,
            discovery(ISSUER, "http://169.254.169.254/").into(),
        ),
        (
            "jwks_uri on this machine",
            DISCOVERY,
            discovery(ISSUER, "http://127.0.0.1/").into(),
        ),
        (
            "jwks_uri a file",
            DISCOVERY,
            discovery(ISSUER, "file:///etc/keys").into(),
        ),
        ("not JSON", DISCOVERY, "<html>".into()),
        ("keys empty", KEYS, r#"{"keys":[]}"#.into()),
        ("keys not JSON", KEYS, "sorry".into()),
        ("keys too large", KEYS, big.into()),
    ];
    for (name, url, body) in rows {
        let provider = Arc::new(Provider::with(&[&key]));
        for address in addresses {
            provider.set(address, key_set([&key]));
        }
        let verifier = verifier(&provider);
        let good = provider.documents.lock().unwrap().clone();
        provider.set(url, body.clone());
        assert_eq!(
            verdict(&verifier, &key, 0).await,
            Err("keys_unavailable"),
            "{name}"
        );
        *provider.documents.lock().unwrap() = good;
        assert_eq!(verdict(&verifier, &key, 2).await, Ok(()), "{name}");
        provider.set(url, body);
        assert_eq!(
            verdict(&verifier, &ed("x"), 60).await,
            Err("unknown_kid"),
            "{name}"
        );
        assert_eq!(
            verdict(&verifier, &key, 61).await,
            Ok(()),
            "{name}: the old set stays"
        );
    }
}

#[tokio::test]
async fn many_requests_share_one_fetch_and_a_usable_key_waits_for_none() {
    let (old, new) = (ed("old"), ed("new"));
    let mut provider = Provider::with(&[&old]);
    provider.gate = Some(Semaphore::new(2));
    let provider = Arc::new(provider);
    let verifier = verifier(&provider);
    assert_eq!(verdict(&verifier, &old, 0).await, Ok(()));

    provider.publish(&[&old, &new]);
    let spawn = || {
        let (verifier, token) = (Arc::clone(&verifier), token(&new));
        tokio::spawn(async move { verifier.verify(&token, at(100)).await.map(drop) })
    };
    let first = spawn();
    settle().await;
    let waiting: Vec<_> = (0..50).map(|_| spawn()).collect();
    settle().await;
    // The client that started the fetch hangs up; the fetch goes on for the others.
    first.abort();
    settle().await;
    assert_eq!(
        verdict(&verifier, &old, 100).await,
        Ok(()),
        "not behind the fetch"
    );
    assert!(waiting.iter().all(|task| !task.is_finished()));
    provider.gate.as_ref().unwrap().add_permits(2);
    for task in waiting {
        assert_eq!(task.await.unwrap(), Ok(()));
    }
    assert_eq!(provider.calls(), 4);
}

#[tokio::test]
async fn a_failure_is_that_of_all_who_waited_for_it() {
    let key = ed("k");
    for panics in [false, true] {
        let mut provider = Provider::with(&[&key]);
        provider.gate = Some(Semaphore::new(0));
        provider.panics_late = panics;
        let provider = Arc::new(provider);
        provider.fail();
        let verifier = verifier(&provider);
        let waiting: Vec<_> = (0..20)
            .map(|n| {
                let (verifier, token) = (Arc::clone(&verifier), token(&key));
                // Each later by more than the pause between attempts.
                tokio::spawn(async move { verifier.verify(&token, at(n * 60)).await.map(drop) })
            })
            .collect();
        settle().await;
        provider.gate.as_ref().unwrap().add_permits(1);
        for task in waiting {
            assert_eq!(task.await.unwrap(), Err(TokenError::Unavailable), "{panics}");
        }
        assert_eq!(provider.calls(), 1, "{panics}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_given_up() {
    let key = ed("k");
    let mut provider = Provider::with(&[&key]);
    provider.gate = Some(Semaphore::new(0));
    let provider = Arc::new(provider);
    assert_eq!(
        verdict(&verifier(&provider), &key, 0).await,
        Err("keys_unavailable")
    );
}

#[tokio::test]
async fn a_panic_in_the_fetcher_is_a_failed_fetch() {
    let key = ed("k");
    let provider = Arc::new(Provider {
        panics: true,
        ..Provider::with(&[&key])
    });
    let verifier = verifier(&provider);
    assert_eq!(verdict(&verifier, &key, 0).await, Err("keys_unavailable"));
    assert_eq!(verdict(&verifier, &key, 60).await, Err("keys_unavailable"));
    assert_eq!(provider.calls(), 2, "the flight is free again");
}

#[tokio::test]
async fn refresh_starts_eagerly_and_only_when_due() {
    let key = ed("k");
    let provider = Arc::new(Provider::with(&[&key]));
    let verifier = verifier(&provider);
    assert_eq!(verifier.refresh(at(0)).await, Ok(()));
    assert_eq!(verifier.refresh(at(60)).await, Ok(()));
    assert_eq!(provider.calls(), 2);
    assert_eq!(verifier.refresh(at(720)).await, Ok(()));
    assert_eq!(provider.calls(), 4);
}

#[test]
fn the_builder_refuses_what_cannot_work() {
    let build = |issuers: &[&str]| {
        let mut builder = OidcVerifier::builder(Arc::new(NoFetch));
        for issuer in issuers {
            builder = builder.issuer(IssuerConfig::new(*issuer, ["api"]));
        }
        builder.build().map(drop).map_err(|e| e.to_string())
    };
    assert_eq!(build(&[ISSUER, "https://other.example"]), Ok(()));
    let twice = build(&[ISSUER, ISSUER]).unwrap_err();
    assert!(twice.contains(ISSUER) && twice.contains("twice"), "{twice}");
    assert!(build(&[]).is_err());
}

/// No public type prints the token or its claims.
#[tokio::test]
async fn nothing_prints_the_token() {
    let key = ed("k");
    let provider = Arc::new(Provider::with(&[&key]));
    let verifier = verifier(&provider);
    let claims = json!({ "iss": ISSUER, "aud": "api", "sub": "canary-7", "exp": NOW - 100 });
    let token = key.token(&header("k", "EdDSA"), &claims);
    let error = verifier.verify(&token, at(0)).await.unwrap_err();
    let printed = format!("{error} {error:?} {verifier:?}");
    assert!(printed.contains("expired"));
    for secret in [token.as_str(), "canary-7"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
