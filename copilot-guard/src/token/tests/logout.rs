//! Logout tokens.

use serde_json::{Value, json};

use super::kit::{NOW, TestKey, alone, claims_with, ed, header, keys, now, plain, token_with};
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::token::{IssuerConfig, LogoutToken, TokenError, TokenVerifier};

fn event() -> Value {
    json!({ "http://schemas.openid.net/event/backchannel-logout": {} })
}

fn good() -> Value {
    claims_with([
        ("groups", Value::Null),
        ("exp", json!(NOW + 120)),
        ("jti", json!("j1")),
        ("sid", json!("s1")),
        ("events", event()),
    ])
}

async fn verdict_of(
    config: IssuerConfig,
    key: &TestKey,
    typ: Value,
    claims: &Value,
) -> Result<LogoutToken, &'static str> {
    let mut header = header("ed", "EdDSA");
    if typ.is_null() {
        header.as_object_mut().unwrap().remove("typ");
    } else {
        header["typ"] = typ;
    }
    let verdict = alone(config)
        .verify_logout(&key.token(&header, claims), now())
        .await;
    verdict.map_err(|error| error.code())
}

async fn verdict(claims: &Value) -> Result<LogoutToken, &'static str> {
    verdict_of(plain(), &keys().ed, json!("logout+jwt"), claims).await
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = good();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(claim);
    } else {
        claims[claim] = value;
    }
    claims
}

#[tokio::test]
async fn says_whose_login_has_ended() {
    let logout = verdict(&good()).await.unwrap();
    assert_eq!(logout.issuer, super::kit::ISSUER);
    assert_eq!(
        (logout.subject.as_deref(), logout.session.as_deref()),
        (Some("u1"), Some("s1"))
    );
    assert_eq!(
        (logout.id.as_str(), logout.issued_at),
        ("j1", Timestamp::from_secs(NOW - 10))
    );
    for typ in [
        Value::Null,
        json!("JWT"),
        json!("LOGOUT+JWT"),
        json!("application/logout+jwt"),
    ] {
        let verdict = verdict_of(plain(), &keys().ed, typ.clone(), &good()).await;
        assert!(verdict.is_ok(), "{typ}");
    }
    for (claim, value) in [
        ("sub", Value::Null),
        ("sid", Value::Null),
        ("exp", Value::Null),
        ("iat", json!(NOW - 330)),
        ("iat", json!(NOW + 30)),
    ] {
        assert!(verdict(&with(claim, value)).await.is_ok(), "{claim}");
    }
    // It names the client that somebody was logged in to: one of those that may call, or one of those for logouts.
    let of_client = with("aud", json!("laptop"));
    for named in [0, 1, 2] {
        let mut config = plain();
        match named {
            1 => config.clients = vec!["laptop".into()],
            2 => config.logout_audiences = vec!["laptop".into()],
            _ => {}
        }
        let verdict = verdict_of(config, &keys().ed, json!("logout+jwt"), &of_client).await;
        assert_eq!(verdict.is_ok(), named > 0, "{verdict:?}");
    }
    // Accounts named by other claims than `sub`: by the session alone, unless the token has those claims.
    let mut config = plain();
    config.subject = vec!["tid".into(), "oid".into()];
    let typ = || json!("logout+jwt");
    let of_session = verdict_of(config.clone(), &keys().ed, typ(), &good())
        .await
        .unwrap();
    assert_eq!(
        (of_session.subject, of_session.session),
        (None, Some("s1".into()))
    );
    let mut named = good();
    named["tid"] = json!("t");
    named["oid"] = json!("o");
    let named = verdict_of(config.clone(), &keys().ed, typ(), &named)
        .await
        .unwrap();
    assert_eq!(named.subject.as_deref(), Some("t/o"));
    let nobody = verdict_of(config, &keys().ed, typ(), &with("sid", Value::Null)).await;
    assert_eq!(nobody, Err("logout_of_nobody"));
}

#[tokio::test]
async fn what_is_no_logout() {
    let both_gone = {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove("sub");
        claims.as_object_mut().unwrap().remove("sid");
        claims
    };
    let rows = [
        ("no event", "logout_event_missing", with("events", Value::Null)),
        (
            "another event",
            "logout_event",
            with("events", json!({ "https://x": {} })),
        ),
        (
            "an event that is no object",
            "logout_event",
            with(
                "events",
                json!({ "http://schemas.openid.net/event/backchannel-logout": true }),
            ),
        ),
        ("events a list", "logout_event", with("events", json!([]))),
        ("a nonce", "logout_nonce", with("nonce", json!("n"))),
        ("no id", "jti_missing", with("jti", Value::Null)),
        (
            "an id that is a number",
            "token_id_malformed",
            with("jti", json!(1)),
        ),
        ("nobody", "logout_of_nobody", both_gone),
        ("another audience", "aud_mismatch", with("aud", json!("other"))),
        ("no audience", "aud_missing", with("aud", Value::Null)),
        ("no time", "iat_missing", with("iat", Value::Null)),
        (
            "a time in the future",
            "issued_in_future",
            with("iat", json!(NOW + 31)),
        ),
        ("an old one", "expired", with("iat", json!(NOW - 331))),
        ("an ended one", "expired", with("exp", json!(NOW - 30))),
        ("an end that is a text", "exp_type", with("exp", json!("never"))),
        (
            "a session that is a number",
            "sid_malformed",
            with("sid", json!(1)),
        ),
        (
            "an unknown issuer",
            "unknown_issuer",
            with("iss", json!("https://evil.example")),
        ),
    ];
    for (name, code, claims) in rows {
        assert_eq!(verdict(&claims).await.err(), Some(code), "{name}");
    }
    for typ in ["at+jwt", "JOSE", "secevent+jwt"] {
        let verdict = verdict_of(plain(), &keys().ed, json!(typ), &good()).await;
        assert_eq!(verdict.err(), Some("header_typ"), "{typ}");
    }
    let stranger = verdict_of(plain(), &ed("ed"), json!("logout+jwt"), &good()).await;
    assert_eq!(stranger.err(), Some("bad_signature"));
}

/// Neither kind passes for the other.
#[tokio::test]
async fn access_and_logout_are_apart() {
    let verifier = alone(plain());
    let access = token_with([("jti", json!("j1")), ("sid", json!("s1"))]);
    assert!(verifier.verify(&access, now()).await.is_ok());
    assert!(verifier.verify_logout(&access, now()).await.is_err());
    let logout = keys().ed.token(&json!({ "alg": "EdDSA", "kid": "ed" }), &good());
    assert!(verifier.verify_logout(&logout, now()).await.is_ok());
    assert_eq!(
        verifier.verify(&logout, now()).await,
        Err(TokenError::Invalid("events"))
    );
}

#[tokio::test]
async fn other_verifiers_know_none() {
    #[derive(Debug)]
    struct Other;
    #[async_trait::async_trait]
    impl TokenVerifier for Other {
        async fn verify(&self, _: &str, _: Timestamp) -> Result<Identity, TokenError> {
            Err(TokenError::Invalid("nobody"))
        }
    }
    assert_eq!(
        Other.verify_logout("x", now()).await,
        Err(TokenError::Invalid("logout_unsupported"))
    );
}
