//! Which keys of a set are usable.

use serde_json::{Value, json};

use super::kit::{ISSUER, b64, claims, header, keys};
use crate::token::Algorithm;
use crate::token::jwks::{KeySet, KeySetError};
use crate::token::jwt::Unverified;

fn parse(keys: Value) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), ISSUER)
}

fn ec_with(change: &[(&str, Value)]) -> Value {
    let mut jwk = keys().ec.jwk();
    for (name, value) in change {
        jwk[*name] = value.clone();
    }
    jwk
}

fn rsa_with(name: &str, value: Value) -> Value {
    let mut jwk = keys().rsa.jwk();
    jwk[name] = value;
    jwk
}

/// Each bad key is left out; the good one beside it stands.
#[test]
fn one_bad_key_does_not_sink_the_set() {
    let coordinate = |n: usize| json!(b64(vec![1; n]));
    let modulus = |n: usize| json!(b64([vec![0xc1; n - 1], vec![1]].concat()));
    let rows: Vec<(&str, Value)> = vec![
        ("not an object", json!("key")),
        ("null", Value::Null),
        ("no kid", json!({ "kty": "EC" })),
        ("kid a number", ec_with(&[("kid", json!(5))])),
        ("kid empty", ec_with(&[("kid", json!(""))])),
        ("kid endless", ec_with(&[("kid", json!("k".repeat(300)))])),
        ("no kty", json!({ "kid": "ec" })),
        ("kty unknown", ec_with(&[("kty", json!("AKP"))])),
        ("kty in lower case", ec_with(&[("kty", json!("ec"))])),
        ("symmetric", json!({ "kid": "ec", "kty": "oct", "k": "c2VjcmV0" })),
        ("private EC", ec_with(&[("d", coordinate(32))])),
        ("private RSA", rsa_with("d", coordinate(256))),
        ("private RSA by a prime", rsa_with("p", coordinate(128))),
        ("for encryption", ec_with(&[("use", json!("enc"))])),
        ("use a list", ec_with(&[("use", json!(["sig"]))])),
        ("use null", ec_with(&[("use", Value::Null)])),
        ("key_ops without verify", ec_with(&[("key_ops", json!(["sign"]))])),
        ("key_ops empty", ec_with(&[("key_ops", json!([]))])),
        ("key_ops a string", ec_with(&[("key_ops", json!("verify"))])),
        (
            "key_ops with a number",
            ec_with(&[("key_ops", json!(["verify", 1]))]),
        ),
        ("alg for encryption", rsa_with("alg", json!("RSA-OAEP"))),
        ("alg not offered", rsa_with("alg", json!("RS512"))),
        ("alg none", rsa_with("alg", json!("none"))),
        ("alg a number", rsa_with("alg", json!(1))),
        ("alg of another kind", ec_with(&[("alg", json!("RS256"))])),
        ("alg of another curve", ec_with(&[("alg", json!("ES384"))])),
        ("curve unknown", ec_with(&[("crv", json!("secp256k1"))])),
        (
            "curve missing",
            json!({ "kid": "ec", "kty": "EC", "x": coordinate(32), "y": coordinate(32) }),
        ),
        ("curve of another width", ec_with(&[("crv", json!("P-384"))])),
        (
            "OKP with an EC curve",
            json!({ "kid": "o", "kty": "OKP", "crv": "P-256", "x": coordinate(32) }),
        ),
        (
            "OKP for key agreement",
            json!({ "kid": "o", "kty": "OKP", "crv": "X25519", "x": coordinate(32) }),
        ),
        (
            "Ed25519 too short",
            json!({ "kid": "o", "kty": "OKP", "crv": "Ed25519", "x": coordinate(31) }),
        ),
        ("coordinate too short", ec_with(&[("x", coordinate(31))])),
        (
            "coordinate padded",
            ec_with(&[("x", json!(format!("{}=", b64([1; 32]))))]),
        ),
        (
            "coordinate missing",
            json!({ "kid": "ec", "kty": "EC", "crv": "P-256", "x": coordinate(32) }),
        ),
        ("RSA of 1024 bits", rsa_with("n", modulus(128))),
        (
            "RSA of 2047 bits",
            rsa_with("n", json!(b64([vec![0x7f; 255], vec![1]].concat()))),
        ),
        (
            "RSA of 1024 bits behind zeros",
            rsa_with("n", json!(b64([vec![0; 128], vec![0xc1; 128]].concat()))),
        ),
        ("RSA of 16384 bits", rsa_with("n", modulus(2048))),
        (
            "even modulus",
            rsa_with("n", json!(b64([vec![0xc1; 255], vec![2]].concat()))),
        ),
        ("exponent 1", rsa_with("e", json!(b64([1])))),
        ("exponent even", rsa_with("e", json!(b64([1, 0, 0])))),
        ("exponent zero", rsa_with("e", json!(b64([0])))),
        ("exponent huge", rsa_with("e", json!(b64([1; 9])))),
        (
            "exponent missing",
            json!({ "kid": "rsa", "kty": "RSA", "n": modulus(256) }),
        ),
    ];
    for (name, bad) in rows {
        assert_eq!(
            parse(json!([bad])).err(),
            Some(KeySetError::NoUsableKey),
            "{name}"
        );
        let set = parse(json!([bad, keys().ed.jwk()])).unwrap();
        assert!(set.key("ed", Algorithm::EdDsa).is_some(), "{name}");
        assert!(!set.has("ec") && !set.has("rsa"), "{name}");
    }
}

#[test]
fn good_forms_are_read() {
    for jwk in [
        ec_with(&[]),
        ec_with(&[
            ("use", json!("sig")),
            ("key_ops", json!(["verify"])),
            ("alg", json!("ES256")),
        ]),
        ec_with(&[("x5c", json!("not looked at")), ("issuer", json!(ISSUER))]),
    ] {
        assert!(parse(json!([jwk])).unwrap().key("ec", Algorithm::Es256).is_some());
    }
    let zero = rsa_with("e", json!(b64([0, 1, 0, 1])));
    assert!(
        parse(json!([zero])).unwrap().has("rsa"),
        "leading zeros are one number"
    );
}

#[test]
fn a_key_serves_only_its_own_algorithm() {
    let set = parse(json!([rsa_with("alg", json!("PS256")), keys().ec.jwk()])).unwrap();
    assert!(set.key("rsa", Algorithm::Ps256).is_some());
    for (kid, algorithm) in [
        ("rsa", Algorithm::Rs256),
        ("rsa", Algorithm::Es256),
        ("ec", Algorithm::Es384),
        ("ec", Algorithm::EdDsa),
        ("ed", Algorithm::EdDsa),
    ] {
        assert!(set.key(kid, algorithm).is_none(), "{kid} {algorithm}");
    }
}

/// The verifier never asks for this; the check beside the signature does not rely on that.
#[test]
fn a_signature_is_not_tried_with_an_unfit_key() {
    let k = keys();
    let set = parse(json!([k.rsa.jwk(), k.ec.jwk()])).unwrap();
    let token = k.rsa.token(&header("rsa", "PS256"), &claims());
    for (kid, algorithm) in [("ec", Algorithm::Es256), ("rsa", Algorithm::Rs256)] {
        let key = set.key(kid, algorithm).unwrap();
        let verdict = Unverified::parse(&token).unwrap().verify(key).map(drop);
        let wanted = if kid == "ec" {
            "alg_key_mismatch"
        } else {
            "bad_signature"
        };
        assert_eq!(verdict.map_err(|e| e.code()), Err(wanted));
    }
}

#[test]
fn one_name_for_two_keys_is_neither() {
    let k = keys();
    let two = json!([k.ec.jwk(), k.forger.jwk(), k.ed.jwk()]);
    let set = parse(two).unwrap();
    assert!(!set.has("ec") && set.has("ed"));
    let kinds = json!([k.ec.jwk(), rsa_with("kid", json!("ec")), k.ed.jwk()]);
    assert!(!parse(kinds).unwrap().has("ec"));
    assert!(
        parse(json!([k.ec.jwk(), k.ec.jwk()])).unwrap().has("ec"),
        "the same key twice is one key"
    );
    let both = json!([rsa_with("alg", json!("RS256")), rsa_with("alg", json!("PS256"))]);
    let both = parse(both).unwrap();
    assert!(both.key("rsa", Algorithm::Rs256).is_some() && both.key("rsa", Algorithm::Ps256).is_some());
}

#[test]
fn documents_that_are_no_key_set() {
    let read = |text: &str| KeySet::parse(text.as_bytes(), ISSUER).err();
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}x"#,
        r#"{"keys":[],"keys":[]}"#,
        "<html>",
    ] {
        assert_eq!(read(text), Some(KeySetError::Malformed), "{text}");
    }
    assert_eq!(read(r#"{"keys":[]}"#), Some(KeySetError::NoUsableKey));
    assert_eq!(
        parse(json!(vec![Value::Null; 257])).err(),
        Some(KeySetError::TooMany)
    );
}
