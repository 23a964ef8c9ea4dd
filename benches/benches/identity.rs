//! What it costs to know who asks: a token seen before, a new one of each algorithm, and forged ones.
#![expect(clippy::expect_used, reason = "a bench that cannot start says so and ends")]

use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use copilot_guard::clock::Timestamp;
use copilot_guard::identity::Identity;
use copilot_guard::token::{IssuerConfig, NoFetch, OidcVerifier, TokenError, TokenVerifier as _};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://sso.example.com/realms/dev";

/// Keys made for this run.
struct Keys {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    random: SystemRandom,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Keys {
    fn new() -> Self {
        let ec = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING);
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
            ec: ec.expect("a key"),
            ed: Ed25519KeyPair::generate().expect("a key"),
            random: SystemRandom::new(),
        }
    }

    fn set(&self) -> Value {
        let rsa = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
        let (x, y) = self.ec.public_key().as_ref()[1..].split_at(32);
        json!({ "keys": [
            { "kid": "RS256", "kty": "RSA", "use": "sig", "n": b64(rsa.n), "e": b64(rsa.e) },
            { "kid": "ES256", "kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y) },
            { "kid": "EdDSA", "kty": "OKP", "crv": "Ed25519", "x": b64(self.ed.public_key()) },
        ] })
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match algorithm {
            "RS256" => {
                let mut out = vec![0; self.rsa.public_modulus_len()];
                self.rsa
                    .sign(&signature::RSA_PKCS1_SHA256, &self.random, message, &mut out)
                    .expect("a signature");
                out
            }
            "ES256" => {
                let signature = self.ec.sign(&self.random, message).expect("a signature");
                signature.as_ref().to_vec()
            }
            _ => self.ed.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with twenty groups, as long as those of real providers: about 1.5 KB.
    fn token(&self, algorithm: &str) -> String {
        let groups: Vec<String> = (0..20)
            .map(|n| format!("0c4f7a2e-1111-4222-8333-4444444444{n:02}"))
            .collect();
        let claims = json!({
            "iss": ISSUER, "aud": "copilot-guard", "sub": "f3a1c2d4-0000-4000-8000-000000000001", "exp": NOW + 600,
            "iat": NOW - 10, "jti": "5b7e1f2c-0000-4000-8000-000000000001", "azp": "vscode", "typ": "Bearer",
            "scope": "openid profile", "preferred_username": "ann", "groups": groups,
        });
        let header = json!({ "alg": algorithm, "kid": algorithm, "typ": "JWT" });
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        format!("{message}.{}", b64(self.sign(algorithm, message.as_bytes())))
    }

    fn verifier(&self, cache: usize) -> OidcVerifier {
        let mut issuer = IssuerConfig::new(ISSUER, ["copilot-guard"]);
        issuer.jwks = Some(self.set().to_string().into());
        OidcVerifier::builder(Arc::new(NoFetch))
            .issuer(issuer)
            .with_cache(cache)
            .build()
            .expect("a verifier")
    }
}

/// With its keys at hand a verifier never waits.
fn verify(verifier: &OidcVerifier, token: &str) -> Result<Identity, TokenError> {
    let mut verdict = verifier.verify(token, Timestamp::from_secs(NOW));
    match verdict.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(verdict) => verdict,
        Poll::Pending => Err(TokenError::Unavailable),
    }
}

fn good(c: &mut Criterion) {
    let keys = Keys::new();
    let (warm, cold) = (keys.verifier(1024), keys.verifier(0));
    let mut group = c.benchmark_group("identity");
    let token = keys.token("RS256");
    verify(&warm, &token).expect("a good token");
    group.bench_function("warm", |b| b.iter(|| verify(&warm, black_box(&token)).is_ok()));
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let token = keys.token(algorithm);
        verify(&cold, &token).expect("a good token");
        group.bench_function(format!("cold_{algorithm}"), |b| {
            b.iter(|| verify(&cold, black_box(&token)).is_ok());
        });
    }
    group.finish();
}

fn forged(c: &mut Criterion) {
    let keys = Keys::new();
    let verifier = keys.verifier(1024);
    // Signed by another provider's key of the same name.
    let signature = Keys::new().token("RS256");
    let malformed = keys.token("RS256").replacen('.', "..", 1);
    let mut group = c.benchmark_group("forged");
    group.throughput(Throughput::Elements(1));
    for (name, token, code) in [
        ("signature_RS256", signature, "bad_signature"),
        ("malformed", malformed, "segments"),
    ] {
        let verdict = verify(&verifier, &token).map(|_| ());
        assert_eq!(verdict.map_err(|e| e.code()), Err(code));
        group.bench_function(name, |b| b.iter(|| verify(&verifier, black_box(&token)).is_err()));
    }
    group.finish();
}

criterion_group!(benches, good, forged);
criterion_main!(benches);
