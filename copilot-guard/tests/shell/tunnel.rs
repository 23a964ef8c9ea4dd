//! Who opened a tunnel speaks for every request inside, and nothing in those requests does.

use std::time::Duration;

use async_trait::async_trait;
use copilot_guard::audit::EventKind;
use copilot_guard::clock::Timestamp;
use copilot_guard::guard::TunnelToken;
use copilot_guard::identity::Identity;
use copilot_guard::token::{TokenError, TokenVerifier};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::Full;

use crate::support::*;

const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

/// Knows [`TOKEN`] for ten minutes, and what else there is to go wrong.
#[derive(Debug)]
struct Dated;

#[async_trait]
impl TokenVerifier for Dated {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let until = NOW.plus(Duration::from_secs(600));
        match token {
            "panic" => panic!("told to"),
            "away" => Err(TokenError::Unavailable),
            "overage" => Err(TokenError::GroupsOverage),
            // Accepted by the verifier's leeway.
            "leeway" => Ok(Identity::new("https://idp.example", "dev", NOW)),
            TOKEN if now >= until => Err(TokenError::Invalid("expired")),
            TOKEN => Ok(Identity::new("https://idp.example", "dev", until)),
            _ => Err(TokenError::Invalid("bad_signature")),
        }
    }
}

fn house() -> House {
    House::build(Model::one(Answer::json(HELLO)), |_| {}, Dated)
}

fn proxy(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::header::PROXY_AUTHORIZATION,
        HeaderValue::from_str(value).unwrap(),
    )])
}

async fn token(house: &House) -> TunnelToken {
    let tunnel = house
        .guard
        .identify_tunnel(&proxy(&format!("Bearer {TOKEN}")), None)
        .await;
    tunnel.unwrap().token
}

#[tokio::test]
async fn refusals_are_recorded_and_can_be_acted_on() {
    let rows = [
        ("", 407, "invalid_token", "credential_missing"),
        ("Bearer stranger", 407, "invalid_token", "bad_signature"),
        ("Digest x", 407, "invalid_token", "not_basic_or_bearer"),
        ("Bearer leeway", 407, "invalid_token", "expired"),
        ("Bearer overage", 400, "groups_overage", "groups_overage"),
        ("Bearer away", 503, "keys_unavailable", "keys_unavailable"),
        ("Bearer panic", 503, "keys_unavailable", "keys_unavailable"),
    ];
    for (value, status, shown, recorded) in rows {
        let house = house();
        let mut headers = HeaderMap::new();
        if !value.is_empty() {
            headers = proxy(value);
        }
        // Meant for the far server.
        headers.insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
        let denial = house.guard.identify_tunnel(&headers, None).await.unwrap_err();
        assert_eq!(
            (denial.status().as_u16(), denial.code()),
            (status, shown),
            "{value}"
        );
        let response = denial.into_response();
        let challenge = response.headers().get("proxy-authenticate");
        let wanted = (status == 407).then_some("Basic realm=\"copilot-guard\"");
        assert_eq!(challenge.map(|c| c.to_str().unwrap()), wanted);
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert!(response.headers().contains_key("x-copilot-guard-exchange"));
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(
            body.ends_with('\n') && !body.contains(recorded.trim_start_matches("groups_")),
            "{body}"
        );
        let record = house.checked().await;
        let [event] = record.as_slice() else {
            panic!("{record:?}")
        };
        let EventKind::Refused { code, .. } = &event.kind else {
            panic!("{event:?}")
        };
        assert_eq!(code, recorded);
    }
}

#[tokio::test]
async fn the_tunnel_speaks_for_the_requests_inside() {
    let house = house();
    let basic = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("you:{TOKEN}"))
    };
    let tunnel = house
        .guard
        .identify_tunnel(&proxy(&format!("Basic {basic}")), None)
        .await
        .unwrap();
    assert_eq!(tunnel.expires_at, NOW.plus(Duration::from_secs(600)));
    assert!(!format!("{tunnel:?}").contains("canary"), "{tunnel:?}");
    for credentials in [
        &[][..],
        &["authorization"],
        &["authorization", "x-api-key", "api-key"],
    ] {
        let house = self::house();
        let mut request = Request::post(CHAT)
            .extension(token(&house).await)
            .body(Full::from(prompt("hello", false)))
            .unwrap();
        for name in credentials {
            request
                .headers_mut()
                .insert(*name, "Bearer gho_far-servers-own".parse().unwrap());
        }
        let got = house.ask(request).await;
        assert_eq!(got.status, 200, "{got:?}");
        let seen = house.model.seen();
        assert!(
            !format!("{:?}", seen[0].headers).contains("far-servers-own"),
            "{seen:?}"
        );
        assert_eq!(house.opening().await.actor.subject, "dev");
    }
}

#[tokio::test]
async fn a_request_after_the_tokens_end_is_refused() {
    let house = house();
    let token = token(&house).await;
    house.clock.set(NOW.plus(Duration::from_secs(600)));
    let request = Request::post(CHAT)
        .extension(token)
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Full::from(prompt("hello", false)))
        .unwrap();
    assert_eq!(house.ask(request).await.status, 401);
    assert_eq!(house.model.calls(), 0);
}

/// Without a tunnel `Proxy-Authorization` identifies nobody.
#[tokio::test]
async fn the_header_alone_is_no_tunnel() {
    let house = house();
    let request = Request::post(CHAT)
        .header("proxy-authorization", format!("Bearer {TOKEN}"))
        .body(Full::from(prompt("hello", false)))
        .unwrap();
    assert_eq!(house.ask(request).await.status, 401);
}
