//! The credential layer behind a guard: what goes up, what comes down, and what a client learns when it goes wrong.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use copilot_guard::audit::Outcome;
use copilot_guard::credential::{
    Credential, CredentialError, CredentialLayer, CredentialProvider, CredentialRequest, PerGroup,
    StaticCredential,
};
use copilot_guard::secret::Secret;
use http::Request;
use http_body_util::Full;
use tower::{Layer, ServiceExt};

use crate::support::*;

const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
const WORDS: &str = "upstream-internal-name";

/// Brings these one after the other; then none. It panics when it is told to.
#[derive(Debug)]
struct Listed(Mutex<Vec<&'static str>>);

#[async_trait]
impl CredentialProvider for Listed {
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        assert_eq!(request.caller.unwrap().subject, "dev");
        let next = {
            let mut values = self.0.lock().unwrap();
            (!values.is_empty()).then(|| values.remove(0))
        };
        match next {
            Some("panic") => panic!("told to"),
            Some(value) => Credential::bearer(&Secret::new(value)),
            None => Err(CredentialError::Unavailable),
        }
    }
}

fn listed(values: &[&'static str]) -> Arc<dyn CredentialProvider> {
    Arc::new(Listed(Mutex::new(values.to_vec())))
}

/// One request by way of the guard, a gateway that sends to `base`, and the layer.
async fn ask(house: &House, provider: Arc<dyn CredentialProvider>, base: &'static str) -> Got {
    let layer = CredentialLayer::new(
        provider,
        Arc::new(house.clock.clone()),
        "https",
        "api.example.com",
    );
    let gateway =
        layer
            .layer(house.model.clone())
            .map_request(move |mut request: Request<Full<bytes::Bytes>>| {
                *request.uri_mut() = format!("{base}{}", request.uri().path()).parse().unwrap();
                request
            });
    let shell = house.guard.layer::<Full<bytes::Bytes>>().layer(gateway);
    let request = post(CHAT, prompt("hi", false));
    read(shell.oneshot(request).await.unwrap()).await
}

const BASE: &str = "https://api.example.com";

#[tokio::test]
async fn a_credential_that_was_turned_down_is_replaced_once() {
    let refused = || Answer::new(401, "application/json", WORDS);
    let house = House::new(Model::new([refused(), Answer::json(HELLO)]));
    let got = ask(&house, listed(&["one-0123456789", "two-0123456789"]), BASE).await;
    assert_eq!(got.status, 200, "{got:?}");
    let seen = house.model.seen();
    assert_eq!(seen[0].headers["authorization"], "Bearer one-0123456789");
    assert_eq!(seen[1].headers["authorization"], "Bearer two-0123456789");
    assert_eq!(seen[0].body, seen[1].body);
    assert!(seen[0].body.contains("hi"));
    assert_eq!(house.outcome().await, Outcome::Completed);
}

/// What concerns the gateway's own credential is never a 401 or a 403 for the client.
#[tokio::test]
async fn all_that_can_go_wrong_is_a_502() {
    type Row = (
        &'static str,
        &'static [&'static str],
        &'static [u16],
        &'static str,
        usize,
    );
    let rows: [Row; 7] = [
        (
            "turned down twice",
            &["one-0123456789", "two-0123456789"],
            &[401, 401],
            BASE,
            2,
        ),
        ("turned down, no other", &["one-0123456789"], &[401], BASE, 1),
        (
            "turned down, the same again",
            &["one-0123456789", "one-0123456789"],
            &[401],
            BASE,
            1,
        ),
        (
            "forbidden",
            &["one-0123456789", "two-0123456789"],
            &[403],
            BASE,
            1,
        ),
        ("none", &[], &[], BASE, 0),
        ("a panic", &["panic"], &[], BASE, 0),
        ("elsewhere", &["one-0123456789"], &[], "https://evil.example", 0),
    ];
    for (what, values, statuses, base, calls) in rows {
        let answers = statuses
            .iter()
            .map(|status| Answer::new(*status, "application/json", WORDS));
        let house = House::new(Model::new(answers));
        let got = ask(&house, listed(values), base).await;
        assert_eq!((got.status, house.model.calls()), (502, calls), "{what}: {got:?}");
        assert!(!got.whole().contains(WORDS), "{what}: {got:?}");
        assert_eq!(house.outcome().await, Outcome::UpstreamFailed, "{what}");
    }
}

#[tokio::test]
async fn groups_choose_the_credential() {
    let of = |value: &str| Arc::new(StaticCredential::bearer(&Secret::new(value)).unwrap());
    let house = House::new(Model::one(Answer::json(HELLO)));
    let provider = PerGroup::new()
        .with_group("research", of("of-research"))
        .with_group("developers", of("of-developers"))
        .with_default(of("of-all"));
    assert_eq!(ask(&house, Arc::new(provider), BASE).await.status, 200);
    let seen = house.model.seen();
    assert_eq!(seen[0].headers["authorization"], "Bearer of-developers");
}
