//! Real tokens through the whole guard: one answer for all that is wrong with them, and where they end.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use copilot_guard::audit::EventKind;
use copilot_guard::clock::Timestamp;
use copilot_guard::identity::Identity;
use copilot_guard::token::{
    FetchError, Fetched, IssuerConfig, KeyFetcher, NoFetch, OidcVerifier, TokenError, TokenVerifier,
};
use http::Request;
use serde_json::{Value, json};

use crate::support::*;

const ISSUER: &str = "https://idp.example";
const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

/// An identity provider with one key.
struct Provider(Ed25519KeyPair);

impl Provider {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn verifier(&self) -> OidcVerifier {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        let jwk = json!({ "kid": "k", "kty": "OKP", "crv": "Ed25519", "x": x });
        let mut config = IssuerConfig::new(ISSUER, ["api"]);
        config.jwks = Some(json!({ "keys": [jwk] }).to_string().into());
        OidcVerifier::builder(Arc::new(NoFetch))
            .issuer(config)
            .build()
            .unwrap()
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A good one, but for these claims.
    fn with(&self, changes: &[(&str, Value)]) -> String {
        let now = NOW.as_millis() / 1000;
        let mut claims = json!({ "iss": ISSUER, "aud": "api", "sub": "dev", "iat": now - 5, "exp": now + 600, "groups": ["developers"] });
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        self.token(&json!({ "alg": "EdDSA", "kid": "k" }), &claims)
    }
}

fn house(verifier: impl TokenVerifier, answers: usize) -> House {
    let answers: Vec<_> = (0..answers).map(|_| Answer::json(HELLO)).collect();
    House::build(Model::new(answers), |_| {}, verifier)
}

/// Number 19: whatever is wrong, the client learns one thing; what it was stands in the record.
#[tokio::test]
async fn c19_one_answer_for_all_that_is_wrong() {
    let provider = Provider::new();
    let house = house(provider.verifier(), 1);
    let good = provider.with(&[]);
    let got = house.ask(as_person(&good, CHAT, prompt("hi", false))).await;
    assert_eq!(got.status, 200, "{got:?}");
    let past = NOW.as_millis() / 1000 - 3600;
    let stranger = Provider::new();
    let header = |name: &str, value: Value| {
        let mut header = json!({ "alg": "EdDSA", "kid": "k" });
        header[name] = value;
        provider.token(&header, &json!({}))
    };
    let rows = [
        ("bad_signature", stranger.with(&[])),
        ("expired", provider.with(&[("exp", json!(past))])),
        ("aud_mismatch", provider.with(&[("aud", json!("canary-aud"))])),
        (
            "unknown_issuer",
            provider.with(&[("iss", json!("https://canary.example"))]),
        ),
        ("sub_malformed", provider.with(&[("sub", json!("canary\n"))])),
        ("id_token", provider.with(&[("nonce", json!("canary"))])),
        ("header_crit", header("crit", json!(["canary"]))),
        ("alg_refused", header("alg", json!("none"))),
        ("segments", "canary.x".to_owned()),
    ];
    let mut answers = Vec::new();
    for (code, token) in &rows {
        let got = house.ask(as_person(token, CHAT, prompt("hi", false))).await;
        assert_eq!(got.status, 401, "{code}: {got:?}");
        assert!(
            got.header("www-authenticate").starts_with("Bearer"),
            "{code}: {got:?}"
        );
        let whole = got.whole();
        let whole = whole.replace("invalid_token", "");
        for secret in [token.as_str(), "canary", code] {
            assert!(!whole.contains(secret), "{code}: {whole}");
        }
        // But for the id of the exchange, all are the same.
        let mut body = got.json();
        body["error"]["exchange_id"].take();
        let text = body.to_string();
        let without_ids = text.split(|c: char| !c.is_alphanumeric() && c != '-');
        let words: Vec<String> = without_ids
            .filter(|word| word.len() < 30)
            .map(str::to_owned)
            .collect();
        answers.push(words);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let events = house.checked().await;
    let record = serde_json::to_string(&events).unwrap();
    for (code, token) in &rows {
        assert!(record.contains(code), "{code}: {record}");
        assert!(!record.contains(token.as_str()));
    }
    assert!(!record.contains("canary"), "{record}");
    let refused = events
        .iter()
        .filter(|e| matches!(e.kind, EventKind::Refused { status: 401, .. }));
    assert_eq!(refused.count(), rows.len());
    assert_eq!(house.model.calls(), 1, "only the good one");
}

/// Number 19, second half: without keys it is neither a verdict nor leave to pass.
#[tokio::test]
async fn c19_without_keys_it_is_a_503() {
    #[derive(Debug)]
    struct Down;
    #[async_trait]
    impl KeyFetcher for Down {
        async fn get(&self, _: &str) -> Result<Fetched, FetchError> {
            Err(FetchError::message("down"))
        }
    }
    let provider = Provider::new();
    let verifier = OidcVerifier::builder(Arc::new(Down))
        .issuer(IssuerConfig::new(ISSUER, ["api"]))
        .build()
        .unwrap();
    let house = house(verifier, 1);
    let got = house
        .ask(as_person(&provider.with(&[]), CHAT, prompt("hi", false)))
        .await;
    assert_eq!((got.status, house.model.calls()), (503, 0), "{got:?}");
}

/// Number 21: what the exchange gives ends no later than what it was given for, and opens nothing else.
#[tokio::test]
async fn c21_a_gateway_token_is_worth_what_it_was_given_for() {
    let provider = Provider::new();
    let verifier = Arc::new(provider.verifier());
    #[derive(Debug)]
    struct Shared(Arc<OidcVerifier>);
    #[async_trait]
    impl TokenVerifier for Shared {
        async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
            self.0.verify(token, now).await
        }
    }
    let house = house(Shared(Arc::clone(&verifier)), 4);
    let soon = NOW.as_millis() / 1000 + 60;
    let source = provider.with(&[("exp", json!(soon))]);
    let got = house.ask(as_person(&source, "/copilot-guard/token", "")).await;
    assert_eq!(got.status, 200, "{got:?}");
    let token = got.json()["access_token"].as_str().unwrap().to_owned();
    let asks = |token: String| as_person(&token, CHAT, prompt("hi", false));
    assert_eq!(house.ask(asks(token.clone())).await.status, 200);
    // The identity provider's verifier knows nothing of it.
    assert!(verifier.verify(&token, NOW).await.is_err());
    // Given in exchange once more, it gains no time.
    house.clock.set(NOW.plus(std::time::Duration::from_secs(20)));
    let again = house.ask(as_person(&token, "/copilot-guard/token", "")).await;
    assert_eq!(again.json()["expires_in"].as_i64(), Some(40), "{again:?}");
    let again = again.json()["access_token"].as_str().unwrap().to_owned();
    // A minute, not fifteen; and no leeway.
    house.clock.set(NOW.plus(std::time::Duration::from_secs(60)));
    for ended in [token, again] {
        assert_eq!(house.ask(asks(ended)).await.status, 401);
    }
}

/// Number 22: neither credential is seen on the other side.
#[tokio::test]
async fn c22_credentials_stay_on_their_side() {
    let provider = Provider::new();
    let house = house(provider.verifier(), 1);
    let token = provider.with(&[]);
    let mut request = Request::post(CHAT)
        .header("authorization", format!("Bearer {token}"))
        .body(http_body_util::Full::from(prompt(
            &format!("is {token} good?"),
            false,
        )))
        .unwrap();
    let others = [
        "cookie",
        "proxy-authorization",
        "x-goog-api-key",
        "x-copilot-guard-user",
        "x-forwarded-for",
    ];
    for name in others {
        request.headers_mut().insert(name, "canary-77".parse().unwrap());
    }
    request
        .headers_mut()
        .insert("x-harmless", "stays".parse().unwrap());
    let got = house.ask(request).await;
    assert_eq!(got.status, 200, "{got:?}");
    let seen = &house.model.seen()[0];
    let all = format!("{} {:?} {}", seen.uri, seen.headers, seen.body);
    for secret in [token.as_str(), "canary-77"] {
        assert!(!all.contains(secret), "{all}");
    }
    assert!(all.contains("stays"), "{all}");
    assert!(!got.whole().contains(&token));
    house.checked().await;
}
