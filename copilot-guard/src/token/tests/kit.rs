//! Keys made at test start, and tokens signed with them.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::token::{Algorithm, GroupSource, IssuerConfig, NoFetch, OidcVerifier, TokenVerifier as _};

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const ISSUER: &str = "https://a.example";
pub(super) const OTHER_ISSUER: &str = "https://b.example/";

/// A hostile token and the code it must be refused with.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) code: &'static str,
    pub(super) token: String,
}

pub(super) fn row(name: &'static str, code: &'static str, token: String) -> Row {
    Row { name, code, token }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) enum Pair {
    Rsa(RsaKeyPair),
    Pss(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

pub(super) struct TestKey {
    pub(super) kid: &'static str,
    pub(super) pair: Pair,
}

impl TestKey {
    pub(super) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) | Pair::Pss(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kid": self.kid, "kty": "RSA", "use": "sig", "n": b64(public.n), "e": b64(public.e) })
            }
            Pair::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kid": self.kid, "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) })
            }
            Pair::Ed(pair) => {
                json!({ "kid": self.kid, "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key()) })
            }
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut out)
                    .unwrap();
                out
            }
            Pair::Pss(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PSS_SHA256, &random, message, &mut out)
                    .unwrap();
                out
            }
            Pair::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A compact token with these parts, whatever they are.
    pub(super) fn token_of(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        format!("{message}.{}", b64(self.sign(message.as_bytes())))
    }

    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of(header.to_string(), claims.to_string())
    }
}

pub(super) struct Keys {
    pub(super) rsa: TestKey,
    pub(super) ec: TestKey,
    pub(super) ec384: TestKey,
    pub(super) ed: TestKey,
    pub(super) pss: TestKey,
    /// The other issuer's.
    pub(super) other: TestKey,
    /// Nobody's, with a known name.
    pub(super) forger: TestKey,
}

pub(super) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let ec = || EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let ec384 = EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Keys {
            rsa: TestKey {
                kid: "rsa",
                pair: Pair::Rsa(rsa()),
            },
            ec: TestKey {
                kid: "ec",
                pair: Pair::Ec(ec(), "P-256"),
            },
            ec384: TestKey {
                kid: "ec384",
                pair: Pair::Ec(ec384, "P-384"),
            },
            ed: ed("ed"),
            pss: TestKey {
                kid: "pss",
                pair: Pair::Pss(rsa()),
            },
            other: TestKey {
                kid: "other",
                pair: Pair::Ec(ec(), "P-256"),
            },
            forger: TestKey {
                kid: "ec",
                pair: Pair::Ec(ec(), "P-256"),
            },
        }
    })
}

pub(super) fn ed(kid: &'static str) -> TestKey {
    TestKey {
        kid,
        pair: Pair::Ed(Ed25519KeyPair::generate().unwrap()),
    }
}

pub(super) fn key_set<'a>(keys: impl IntoIterator<Item = &'a TestKey>) -> Bytes {
    let keys: Vec<Value> = keys.into_iter().map(TestKey::jwk).collect();
    json!({ "keys": keys }).to_string().into()
}

pub(super) fn header(kid: &str, alg: &str) -> Value {
    json!({ "alg": alg, "kid": kid, "typ": "at+jwt" })
}

/// Claims that [`verifier`] accepts.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "api", "sub": "u1", "exp": NOW + 600, "iat": NOW - 10, "nbf": NOW - 10,
        "hd": "example.com", "email": "Ann@Example.com", "azp": "vscode", "auth_time": NOW - 100,
        "groups": ["dev", "ops"], "realm_access": { "roles": ["admin"] },
    })
}

pub(super) fn config() -> IssuerConfig {
    let k = keys();
    let mut config = IssuerConfig::new(ISSUER, ["api", "api2"]);
    config.jwks = Some(key_set([&k.rsa, &k.ec, &k.ec384, &k.ed, &k.pss]));
    config.groups = vec![
        GroupSource::new("groups"),
        GroupSource::new("/realm_access/roles").with_prefix("role:"),
    ];
    config.required.insert("hd".into(), "example.com".into());
    config.person = Some("email".into());
    config
}

/// Two issuers whose keys are given; the first with many conditions.
pub(super) fn verifier() -> OidcVerifier {
    let mut other = IssuerConfig::new(OTHER_ISSUER, ["api"]);
    other.jwks = Some(key_set([&keys().other]));
    other.algorithms = vec![Algorithm::Es256];
    OidcVerifier::builder(Arc::new(NoFetch))
        .issuer(config())
        .issuer(other)
        .build()
        .unwrap()
}

/// A verifier of this one issuer.
pub(super) fn alone(config: IssuerConfig) -> OidcVerifier {
    OidcVerifier::builder(Arc::new(NoFetch))
        .issuer(config)
        .build()
        .unwrap()
}

/// What becomes of a token of this text, with the code of the refusal.
pub(super) async fn judge(config: &IssuerConfig, token: &str) -> Result<Identity, &'static str> {
    let verdict = alone(config.clone()).verify(token, now()).await;
    verdict.map_err(|error| error.code())
}

/// An issuer without conditions, whose key is `ed`.
pub(super) fn plain() -> IssuerConfig {
    let mut config = IssuerConfig::new(ISSUER, ["api"]);
    config.jwks = Some(key_set([&keys().ed, &keys().ec, &keys().rsa]));
    config
}

/// Claims that [`plain`] accepts, with these changes; `null` takes a claim away.
pub(super) fn claims_with<const N: usize>(changes: [(&str, Value); N]) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": "api", "sub": "u1", "exp": NOW + 600, "iat": NOW - 10, "groups": ["dev"],
    });
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
    }
    claims
}

/// A token of [`claims_with`].
pub(super) fn token_with<const N: usize>(changes: [(&str, Value); N]) -> String {
    keys().ed.token(&header("ed", "EdDSA"), &claims_with(changes))
}
