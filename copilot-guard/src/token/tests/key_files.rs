//! Key sets in files, and what rotations and floods do to those who ask.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::kit::{NOW, TestKey, ed, header, key_set};
use super::provider::{ISSUER, Provider};
use crate::clock::Timestamp;
use crate::token::{IssuerConfig, KeyFetcher, NoFetch, OidcVerifier, TokenVerifier as _};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW + seconds)
}

fn token(key: &TestKey, n: usize) -> String {
    let claims = json!({ "iss": ISSUER, "aud": "api", "sub": format!("u{n}"), "exp": NOW + 72_000 });
    key.token(&header(key.kid, "EdDSA"), &claims)
}

async fn code(verifier: &OidcVerifier, key: &TestKey, seconds: i64) -> Option<&'static str> {
    let n = usize::try_from(seconds).unwrap();
    let verdict = verifier.verify(&token(key, n), at(seconds)).await;
    verdict.err().map(|error| error.code())
}

fn of_file(path: &Path) -> OidcVerifier {
    let mut config = IssuerConfig::new(ISSUER, ["api"]);
    config.jwks_path = Some(path.to_owned());
    OidcVerifier::builder(Arc::new(NoFetch))
        .issuer(config)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_file_is_read_again() {
    let (old, new) = (ed("old"), ed("new"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let verifier = of_file(&path);
    assert_eq!(code(&verifier, &old, 0).await, Some("keys_unavailable"));
    std::fs::write(&path, key_set([&old])).unwrap();
    assert_eq!(code(&verifier, &old, 2).await, None, "heals by itself");
    std::fs::write(&path, key_set([&new])).unwrap();
    assert_eq!(code(&verifier, &new, 3).await, None, "at once");
    std::fs::write(&path, key_set([&old])).unwrap();
    assert_eq!(code(&verifier, &old, 32).await, Some("unknown_kid"), "throttled");
    assert_eq!(code(&verifier, &old, 33).await, None);
    std::fs::write(&path, key_set([&new])).unwrap();
    assert_eq!(code(&verifier, &new, 63).await, None);
    assert_eq!(code(&verifier, &old, 64).await, Some("unknown_kid"));
    // Without an unknown name, after a minute at most.
    std::fs::write(&path, key_set([&new, &old])).unwrap();
    verifier.refresh(at(63 + 48)).await.unwrap();
    assert_eq!(code(&verifier, &old, 112).await, None);
}

#[tokio::test]
async fn a_broken_file_keeps_the_keys() {
    let key = ed("k");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, key_set([&key])).unwrap();
    let verifier = of_file(&path);
    assert_eq!(code(&verifier, &key, 0).await, None);
    let mut long = key_set([&ed("x")]).to_vec();
    long.resize(1024 * 1024 + 1, b' ');
    for (n, broken) in [Vec::new(), b"{".to_vec(), br#"{"keys":[]}"#.to_vec(), long]
        .iter()
        .enumerate()
    {
        std::fs::write(&path, broken).unwrap();
        let seconds = 100 * (i64::try_from(n).unwrap() + 1);
        assert_eq!(
            code(&verifier, &ed("x"), seconds).await,
            Some("unknown_kid"),
            "{n}"
        );
        assert_eq!(code(&verifier, &key, seconds).await, None, "{n}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(code(&verifier, &ed("x"), 1000).await, Some("unknown_kid"));
    assert_eq!(code(&verifier, &key, 1000).await, None);
    assert_eq!(
        code(&verifier, &key, 90_000).await,
        Some("keys_unavailable"),
        "a day is the bound here, too"
    );
}

/// Old and new keys in use at once while the set changes under them: no valid token is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_under_load_loses_nothing() {
    let (old, new) = (Arc::new(ed("old")), Arc::new(ed("new")));
    let provider = Arc::new(Provider::with(&[&old]));
    let verifier = OidcVerifier::builder(Arc::clone(&provider) as Arc<dyn KeyFetcher>)
        .issuer(IssuerConfig::new(ISSUER, ["api"]))
        .build()
        .unwrap();
    let verifier = Arc::new(verifier);
    let load = |keys: Vec<Arc<TestKey>>, seconds: i64| {
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let (verifier, key) = (Arc::clone(&verifier), Arc::clone(&keys[n % keys.len()]));
                tokio::spawn(async move {
                    let token = token(&key, n);
                    verifier.verify(&token, at(seconds)).await.map(drop)
                })
            })
            .collect();
        async {
            for task in tasks {
                assert_eq!(task.await.unwrap(), Ok(()));
            }
        }
    };
    load(vec![Arc::clone(&old)], 0).await;
    provider.publish(&[&old, &new]);
    load(vec![Arc::clone(&old), Arc::clone(&new)], 40).await;
    provider.publish(&[&new]);
    // The new key is known; that the old one is gone is learnt in the background.
    load(vec![Arc::clone(&new)], 800).await;
    verifier.refresh(at(840)).await.unwrap();
    load(vec![Arc::clone(&new)], 850).await;
    assert_eq!(code(&verifier, &old, 851).await, Some("unknown_kid"));
    assert!(provider.calls() <= 10, "{}", provider.calls());
}

/// A flood of forged tokens, each with a name of its own, or with a known one and a bad signature.
#[tokio::test]
async fn a_flood_costs_no_fetch_and_no_memory() {
    let key = ed("k");
    let provider = Arc::new(Provider::with(&[&key]));
    let verifier = OidcVerifier::builder(Arc::clone(&provider) as Arc<dyn KeyFetcher>)
        .issuer(IssuerConfig::new(ISSUER, ["api"]))
        .build()
        .unwrap();
    assert_eq!(code(&verifier, &key, 0).await, None);
    let forger = ed("k");
    for n in 0..2000 {
        let claims = json!({ "iss": ISSUER, "aud": "api", "sub": "u", "exp": NOW + 600 });
        let name = format!("forged-{n}");
        let token = forger.token(&header(&name, "EdDSA"), &claims);
        let verdict = verifier.verify(&token, at(1)).await;
        assert_eq!(verdict.err().map(|e| e.code()), Some("unknown_kid"));
    }
    assert_eq!(provider.calls(), 4, "one for them all");
    for seconds in 40..140 {
        assert_eq!(code(&verifier, &forger, seconds).await, Some("bad_signature"));
    }
    assert_eq!(provider.calls(), 4, "a known name is never a reason to fetch");
    let verdicts = verifier.verdicts.as_ref().unwrap();
    assert_eq!(verdicts.len(), 1, "only the good one is kept");
}
