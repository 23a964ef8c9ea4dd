//! Verdicts that are kept, and when they no longer count.

use std::sync::Arc;

use serde_json::json;

use super::kit::{NOW, alone, ed, header, keys, plain, token_with};
use super::provider::{ISSUER, Provider};
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::token::cache::{Verdict, Verdicts};
use crate::token::rules::Admitted;
use crate::token::{IssuerConfig, KeyFetcher, NoFetch, OidcVerifier, TokenVerifier as _};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW + seconds)
}

fn kept(verifier: &OidcVerifier) -> usize {
    verifier.verdicts.as_ref().unwrap().len()
}

async fn code(verifier: &OidcVerifier, token: &str, seconds: i64) -> Option<&'static str> {
    verifier.verify(token, at(seconds)).await.err().map(|e| e.code())
}

#[tokio::test]
async fn a_verdict_counts_for_a_minute() {
    let verifier = alone(plain());
    let good = token_with([]);
    assert_eq!(code(&verifier, &good, 0).await, None);
    assert_eq!(kept(&verifier), 1);
    // Under the digest of a text that is no token: only what is kept can answer.
    let verdicts = verifier.verdicts.as_ref().unwrap();
    let entry = verdicts.get(&Verdicts::key(&good), at(0)).unwrap();
    let put = |seconds: i64| {
        let verdict = Verdict {
            issuer: Arc::clone(&entry.issuer),
            admitted: entry.admitted.clone(),
            generation: entry.generation,
            checked_at: at(seconds),
        };
        verdicts.insert(Verdicts::key("no token"), verdict);
    };
    put(0);
    assert_eq!(code(&verifier, "no token", 59).await, None);
    assert_eq!(code(&verifier, "no token", 60).await, Some("segments"));
    assert_eq!(code(&verifier, "no token", 0).await, Some("segments"), "gone");
    put(0);
    assert_eq!(
        code(&verifier, "no token", -1).await,
        Some("segments"),
        "a clock that was set back"
    );
}

#[tokio::test]
async fn refusals_are_not_kept() {
    let verifier = alone(plain());
    for n in 0..50 {
        let token = token_with([("n", json!(n)), ("aud", json!("other"))]);
        assert_eq!(code(&verifier, &token, 0).await, Some("aud_mismatch"));
    }
    assert_eq!(kept(&verifier), 0);
    // A token that is not yet valid is, once it is.
    let token = token_with([("nbf", json!(NOW + 60))]);
    assert_eq!(code(&verifier, &token, 0).await, Some("not_yet_valid"));
    assert_eq!(code(&verifier, &token, 60).await, None);
}

#[tokio::test]
async fn each_verifier_has_its_own() {
    let (ours, mut other) = (alone(plain()), plain());
    other.audiences = vec!["admin".into()];
    let other = alone(other);
    let token = token_with([]);
    assert_eq!(code(&ours, &token, 0).await, None);
    assert_eq!(code(&other, &token, 0).await, Some("aud_mismatch"));
    let off = OidcVerifier::builder(Arc::new(NoFetch))
        .issuer(plain())
        .with_cache(0)
        .build()
        .unwrap();
    assert!(off.verdicts.is_none());
    assert_eq!(code(&off, &token, 0).await, None);
}

/// A key that is gone takes its verdicts along; a set that came again unchanged takes none.
#[tokio::test]
async fn a_key_that_is_gone_ends_its_verdicts() {
    let (old, new) = (ed("old"), ed("new"));
    let provider = Arc::new(Provider::with(&[&old]));
    let verifier = OidcVerifier::builder(Arc::clone(&provider) as Arc<dyn KeyFetcher>)
        .issuer(IssuerConfig::new(ISSUER, ["api"]))
        .build()
        .unwrap();
    let token = |key: &super::kit::TestKey, sub: &str| {
        let claims = json!({ "iss": ISSUER, "aud": "api", "sub": sub, "exp": NOW + 72_000 });
        key.token(&header(key.kid, "EdDSA"), &claims)
    };
    let first = token(&old, "u1");
    assert_eq!(code(&verifier, &first, 0).await, None);
    let generation = || {
        let verdicts = verifier.verdicts.as_ref().unwrap();
        verdicts.get(&Verdicts::key(&first), at(31)).map(|v| v.generation)
    };
    let before = generation();
    // An unknown name makes the set come again.
    assert_eq!(
        code(&verifier, &token(&ed("x"), "u1"), 30).await,
        Some("unknown_kid")
    );
    assert_eq!(provider.calls(), 4);
    assert_eq!(generation(), before, "the same keys");
    provider.publish(&[&new]);
    assert_eq!(
        code(&verifier, &first, 59).await,
        None,
        "nobody knows of the change yet"
    );
    assert_eq!(code(&verifier, &token(&new, "u1"), 60).await, None);
    assert_eq!(code(&verifier, &first, 60).await, Some("unknown_kid"));
    assert_eq!(generation(), None);
}

#[tokio::test]
async fn the_size_is_bounded() {
    let verifier = || {
        let builder = OidcVerifier::builder(Arc::new(NoFetch)).issuer(plain());
        builder.with_cache(64).build().unwrap()
    };
    let (short, full) = (verifier(), verifier());
    for n in 0..300 {
        assert_eq!(code(&short, &token_with([("n", json!(n))]), 0).await, None);
    }
    let small = kept(&short);
    assert!((1..=64).contains(&small), "{small}");
    // Long lists of groups count for more.
    let groups: Vec<String> = (0..60).map(|n| format!("{n:0100}")).collect();
    for n in 0..300 {
        let token = keys().ed.token(
            &header("ed", "EdDSA"),
            &super::kit::claims_with([("n", json!(n)), ("groups", json!(groups))]),
        );
        assert_eq!(code(&full, &token, 0).await, None);
    }
    let long = kept(&full);
    assert!(long < 16, "{long}");
}

/// Not even by accident.
#[tokio::test]
async fn the_token_is_not_in_it() {
    let verifier = alone(plain());
    let token = token_with([("sub", json!("canary-9"))]);
    assert_eq!(code(&verifier, &token, 0).await, None);
    let printed = format!("{verifier:?}");
    assert!(
        !printed.contains(&token) && !printed.contains("canary-9"),
        "{printed}"
    );
    let admitted = Admitted {
        identity: Identity::new("i", "s", at(0)),
        directory: false,
    };
    assert!(!format!("{admitted:?}").contains(&token));
}
