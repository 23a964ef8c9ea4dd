//! Project Wycheproof's vectors for JSON Web Signatures and keys; see `wycheproof/README.md`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::kit::ISSUER;
use crate::token::TokenError;
use crate::token::jwks::KeySet;
use crate::token::jwt::Jws;

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    file: String,
    comment: String,
    keys: Vec<Value>,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector(u32, Expected, String, String);

#[derive(Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Valid,
    Invalid,
}

/// Valid vectors that our rules refuse, by the first number and the last, with the code and the reason.
const DEVIATIONS: &[(&str, u32, u32, &str, &str)] = &[
    (
        "signature",
        259,
        259,
        "segments",
        "an empty payload makes no claims",
    ),
    (
        "signature",
        272,
        272,
        "segments",
        "an empty payload makes no claims",
    ),
    ("signature", 264, 267, "no_key", "RS384 is not offered"),
    ("signature", 268, 271, "no_key", "RS512 is not offered"),
    ("signature", 320, 324, "no_key", "PS384 is not offered"),
    ("signature", 325, 344, "no_key", "PS512 is not offered"),
    (
        "signature",
        346,
        346,
        "alg_refused",
        "the token says PS384, its key PS256",
    ),
    (
        "signature",
        350,
        350,
        "alg_refused",
        "the token says PS384, its key PS256",
    ),
];

fn verdict(keys: &[Value], token: &str) -> Result<(), &'static str> {
    let set = json!({ "keys": keys }).to_string();
    let set = KeySet::parse(set.as_bytes(), ISSUER).map_err(|_| "no_key")?;
    let jws = Jws::parse(token).map_err(|e| e.code())?;
    // A token without a name of a key is refused by the layer above; here its signature is the question.
    let only = keys
        .first()
        .and_then(|key| key["kid"].as_str())
        .unwrap_or_default();
    let kid = jws.kid().unwrap_or(only);
    let key = set.key(kid, jws.algorithm()).ok_or("alg_key_mismatch")?;
    jws.verify(key).map_err(|e: TokenError| e.code())
}

#[test]
fn vectors() {
    let file: File = serde_json::from_str(include_str!("wycheproof/jws.json")).unwrap();
    let (mut accepted, mut refused, mut deviating) = (0, 0, 0);
    let mut wrong = Vec::new();
    for group in &file.groups {
        for Vector(id, expected, token, comment) in &group.tests {
            let name = format!("{} {id} ({}, {comment})", group.file, group.comment);
            let found = verdict(&group.keys, token);
            let deviation = DEVIATIONS
                .iter()
                .find(|(file, from, to, ..)| *file == group.file && (from..=to).contains(&id));
            match (expected, found, deviation) {
                (Expected::Valid, Ok(()), None) => accepted += 1,
                (Expected::Invalid, Err(_), _) => refused += 1,
                (Expected::Valid, Err(code), Some((.., wanted, _))) if code == *wanted => deviating += 1,
                (_, found, _) => wrong.push(format!("{name}: {expected:?}, {found:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((accepted, refused, deviating), (15, 335, 20));
}

/// The vectors' private keys are public, and stay where they are.
#[test]
fn only_public_keys_are_here() {
    let file: File = serde_json::from_str(include_str!("wycheproof/jws.json")).unwrap();
    for key in file.groups.iter().flat_map(|group| &group.keys) {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(member).is_none(), "{member}");
        }
    }
}
