//! The token room from outside: hostile tokens, good tokens, key sets, rotation and the verifier.

mod accepted;
mod cached;
mod checklist;
mod directory;
mod hostile_claims;
mod hostile_form;
mod hostile_header;
mod key_files;
mod key_sets;
mod kit;
mod logout;
mod naive;
mod namespaces;
mod provider;
mod providers;
mod rotating;
mod wycheproof;

use kit::{Row, now, verifier};

use super::jwks::KeySet;
use super::jwt::Unverified;
use super::{Algorithm, TokenVerifier as _};

fn hostile_rows() -> Vec<Row> {
    [
        hostile_form::rows(),
        hostile_header::rows(),
        hostile_claims::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every hostile token is one change away from a good one, and is refused with the code of the rule it breaks.
#[tokio::test]
async fn hostile_tokens_are_refused() {
    let rows = hostile_rows();
    assert!(rows.len() >= 220, "{} rows", rows.len());
    let verifier = verifier();
    let mut wrong = Vec::new();
    for row in &rows {
        match verifier.verify(&row.token, now()).await {
            Err(error) if error.code() == row.code => {}
            other => wrong.push(format!("{}: wanted {}, got {other:?}", row.name, row.code)),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    let mut names: Vec<_> = rows.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows.len(), "names are unique");
}

/// Cutting a good token anywhere, or changing any one character, never gives an accepted one.
#[tokio::test]
async fn no_damaged_token_is_accepted() {
    let verifier = verifier();
    let good = kit::keys().ed.token(&kit::header("ed", "EdDSA"), &kit::claims());
    assert!(verifier.verify(&good, now()).await.is_ok());
    for at in 0..good.len() {
        assert!(verifier.verify(&good[..at], now()).await.is_err(), "cut at {at}");
        for other in ["A", "z", ".", "=", " ", "\0"] {
            let mut damaged = good.clone();
            damaged.replace_range(at..=at, other);
            if damaged != good {
                assert!(
                    verifier.verify(&damaged, now()).await.is_err(),
                    "{other:?} at {at}"
                );
            }
        }
    }
}

/// Even where the keys of the wrong issuer were chosen, its rules refuse the token.
#[test]
fn the_signed_issuer_is_compared_again() {
    let rules = kit::config().compile().unwrap().remove(0).rules;
    let keys = KeySet::parse(&kit::key_set([&kit::keys().ed]), kit::ISSUER).unwrap();
    let mut claims = kit::claims();
    for (issuer, verdict) in [(kit::ISSUER, Ok(())), (kit::OTHER_ISSUER, Err("iss_mismatch"))] {
        claims["iss"] = issuer.into();
        let token = kit::keys().ed.token(&kit::header("ed", "EdDSA"), &claims);
        let signed = Unverified::parse(&token)
            .unwrap()
            .verify(keys.key("ed", Algorithm::EdDsa).unwrap())
            .unwrap();
        assert_eq!(
            rules.admit(&signed, now()).map(drop).map_err(|e| e.code()),
            verdict
        );
    }
}
