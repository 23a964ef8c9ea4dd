//! The rules of verification, one test for each number, each with its control: without the fault, the same token is good.
//!
//! Numbers 19 and 22 are of the guard: `tests/shell/identity.rs`.

use http::HeaderMap;
use serde_json::{Value, json};

use super::kit::{
    ISSUER, NOW, OTHER_ISSUER, b64, claims_with, ed, header, judge, key_set, keys, now, plain, token_with,
};
use crate::token::jwks::KeySet;
use crate::token::{Algorithm, GatewayTokens, GroupSource, IssuerConfig, TokenVerifier as _, credential};

/// A token whose header has these changes; `null` takes a member away.
fn with_header(changes: &[(&str, Value)]) -> String {
    let mut header = header("ed", "EdDSA");
    let members = header.as_object_mut().unwrap();
    for (name, value) in changes {
        if value.is_null() {
            members.remove(*name);
        } else {
            members.insert((*name).to_owned(), value.clone());
        }
    }
    keys().ed.token(&header, &claims_with([]))
}

async fn good(config: &IssuerConfig, token: &str) {
    let verdict = judge(config, token).await;
    assert!(verdict.is_ok(), "{verdict:?}");
}

async fn bad(config: &IssuerConfig, token: &str, code: &str) {
    assert_eq!(judge(config, token).await.map(|i| i.subject), Err(code));
}

#[test]
fn c01_exactly_one_credential() {
    let read = |fields: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        credential(&headers).map(str::to_owned).map_err(|e| e.code())
    };
    let token = || Ok("a.b.c".to_owned());
    assert_eq!(read(&[("authorization", "Bearer a.b.c")]), token());
    assert_eq!(read(&[("authorization", "bEARER a.b.c")]), token());
    let ambiguous = Err("credential_ambiguous");
    for second in ["authorization", "x-api-key", "api-key"] {
        let fields = [("authorization", "Bearer a.b.c"), (second, "Bearer a.b.c")];
        assert_eq!(read(&fields), ambiguous, "{second}");
    }
    for (value, code) in [
        ("Bearer  a.b.c", "credential_malformed"),
        ("Bearer a.b.c, Bearer d.e.f", "credential_malformed"),
        ("Basic a.b.c", "not_bearer"),
        ("a.b.c", "not_bearer"),
    ] {
        assert_eq!(read(&[("authorization", value)]), Err(code), "{value}");
    }
    assert_eq!(read(&[("cookie", "token=a.b.c")]), Err("credential_missing"));
}

#[tokio::test]
async fn c02_sizes() {
    let token_of = |filler: usize| token_with([("x", json!("a".repeat(filler)))]);
    good(&plain(), &token_of(11_000)).await;
    bad(&plain(), &token_of(13_000), "too_large").await;
    let header_of = |filler: usize| with_header(&[("x", json!("a".repeat(filler)))]);
    good(&plain(), &header_of(2900)).await;
    bad(&plain(), &header_of(3100), "header_too_large").await;
}

#[tokio::test]
async fn c03_canonical_segments() {
    let token = token_with([]);
    good(&plain(), &token).await;
    for (damaged, code) in [
        (format!("{token}="), "base64"),
        (format!(" {token}"), "base64"),
        (format!("{token}.e30"), "segments"),
        (token.replacen('.', "..", 1), "segments"),
    ] {
        bad(&plain(), &damaged, code).await;
    }
    // 64 octets leave four spare bits in the last character: fifteen other spellings of one signature.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(token.chars().last().unwrap()).unwrap();
    for spare in 1..16 {
        let other = &alphabet[last + spare..=last + spare];
        bad(
            &plain(),
            &format!("{}{other}", &token[..token.len() - 1]),
            "base64",
        )
        .await;
    }
}

#[tokio::test]
async fn c04_strict_json() {
    let text = claims_with([]).to_string();
    let token = |claims: &str| keys().ed.token_of(header("ed", "EdDSA").to_string(), claims);
    let nested = |n: usize| text.replacen('{', &format!(r#"{{"x":{}1{},"#, "[".repeat(n), "]".repeat(n)), 1);
    good(&plain(), &token(&text)).await;
    good(&plain(), &token(&nested(15))).await;
    for claims in [
        nested(16),
        format!("\u{feff}{text}"),
        format!("{text}{{}}"),
        text.replacen('{', r#"{"sub":"u1","#, 1),
        text.replacen('{', r#"{"x":{"a":1,"\u0061":1},"#, 1),
        format!("[{text}]"),
    ] {
        bad(&plain(), &token(&claims), "claims_json").await;
    }
    let header = r#"{"alg":"EdDSA","kid":"ed"}"#;
    good(&plain(), &keys().ed.token_of(header, &text)).await;
    for header in [
        format!("\u{feff}{header}"),
        header.replace('}', r#","alg":"EdDSA"}"#),
    ] {
        bad(&plain(), &keys().ed.token_of(header, &text), "header_json").await;
    }
}

#[tokio::test]
async fn c05_algorithms_of_the_issuer_only() {
    let mut config = plain();
    let token = keys().rsa.token(&header("rsa", "RS256"), &claims_with([]));
    good(&config, &token).await;
    config.algorithms = vec![Algorithm::EdDsa];
    good(&config, &token_with([])).await;
    bad(&config, &token, "alg_refused").await;
    for alg in ["none", "None", "HS256", "RS1", ""] {
        bad(&plain(), &with_header(&[("alg", json!(alg))]), "alg_refused").await;
    }
}

#[tokio::test]
async fn c06_algorithm_of_the_key() {
    let mut config = plain();
    let mut jwk = keys().rsa.jwk();
    let token = keys().rsa.token(&header("rsa", "RS256"), &claims_with([]));
    for (alg, verdict) in [("RS256", None), ("PS256", Some("alg_key_mismatch"))] {
        jwk["alg"] = json!(alg);
        config.jwks = Some(json!({ "keys": [jwk] }).to_string().into());
        assert_eq!(judge(&config, &token).await.err(), verdict, "{alg}");
    }
    for alg in ["EdDSA", "Ed25519"] {
        good(&plain(), &with_header(&[("alg", json!(alg))])).await;
    }
    bad(
        &plain(),
        &with_header(&[("alg", json!("ES256"))]),
        "alg_key_mismatch",
    )
    .await;
}

#[tokio::test]
async fn c07_keys_by_issuer_and_name() {
    let verifier = super::kit::verifier();
    let token = |issuer: &str, key: &super::kit::TestKey| {
        let claims = claims_with([
            ("iss", json!(issuer)),
            ("hd", json!("example.com")),
            ("email", json!("a@b")),
        ]);
        key.token(&header(key.kid, "ES256"), &claims)
    };
    let (ours, theirs) = (&keys().ec, &keys().other);
    for (issuer, key, verdict) in [
        (ISSUER, ours, Ok(())),
        (OTHER_ISSUER, theirs, Ok(())),
        (ISSUER, theirs, Err("unknown_kid")),
        (OTHER_ISSUER, ours, Err("unknown_kid")),
        ("https://c.example", ours, Err("unknown_issuer")),
    ] {
        let found = verifier.verify(&token(issuer, key), now()).await;
        assert_eq!(found.map(drop).map_err(|e| e.code()), verdict, "{issuer}");
    }
}

#[tokio::test]
async fn c08_a_name_of_a_key_is_needed() {
    let mut config = plain();
    // Even with one key only, which it must have been.
    config.jwks = Some(key_set([&keys().ed]));
    good(&config, &with_header(&[])).await;
    bad(&config, &with_header(&[("kid", Value::Null)]), "kid_missing").await;
    bad(&config, &with_header(&[("kid", json!("x"))]), "unknown_kid").await;
}

#[tokio::test]
async fn c09_keys_in_the_token_are_not_looked_at() {
    let stranger = ed("ed");
    let mut config = plain();
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("abc")),
    ] {
        let mut header = header("ed", "EdDSA");
        header[name] = value.clone();
        let token = stranger.token(&header, &claims_with([]));
        config.jwks = plain().jwks;
        bad(&config, &token, "bad_signature").await;
        good(&config, &with_header(&[(name, value)])).await;
        // The token is fine, but for whose key it is.
        config.jwks = Some(key_set([&stranger]));
        good(&config, &token).await;
    }
}

#[tokio::test]
async fn c10_what_changes_the_meaning_is_refused() {
    good(&plain(), &with_header(&[("x", json!(1))])).await;
    for (name, value, code) in [
        ("crit", json!(["exp"]), "header_crit"),
        ("crit", json!([]), "header_crit"),
        ("b64", json!(true), "header_b64"),
        ("zip", json!("DEF"), "header_zip"),
        ("cty", json!("JWT"), "header_cty"),
    ] {
        bad(&plain(), &with_header(&[(name, value)]), code).await;
    }
}

#[tokio::test]
async fn c11_types() {
    let mut config = plain();
    let typ = |typ: &str| with_header(&[("typ", json!(typ))]);
    let absent = with_header(&[("typ", Value::Null)]);
    for known in ["JWT", "at+jwt", "AT+JWT", "application/at+jwt"] {
        good(&config, &typ(known)).await;
    }
    good(&config, &absent).await;
    for other in [
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "cg+jwt",
        "JOSE",
        "jwt ",
        "",
    ] {
        bad(&config, &typ(other), "header_typ").await;
    }
    config.allow_jose = true;
    good(&config, &typ("JOSE")).await;
    bad(&config, &typ("logout+jwt"), "header_typ").await;
    config.rfc9068 = true;
    good(&config, &typ("at+jwt")).await;
    for other in ["JWT", "JOSE"] {
        bad(&config, &typ(other), "header_typ").await;
    }
    bad(&config, &absent, "header_typ").await;
}

/// The other rules for keys: `key_sets.rs`.
#[test]
fn c12_keys_of_another_issuer() {
    let has = |named: Value, issuer: &str| {
        let mut jwk = keys().ed.jwk();
        jwk["issuer"] = named;
        let set = json!({ "keys": [jwk, keys().ec.jwk()] }).to_string();
        KeySet::parse(set.as_bytes(), issuer).unwrap().has("ed")
    };
    let v2 = "https://login.microsoftonline.com/3f2a4c1e-0000-4000-8000-00000000000a/v2.0";
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    assert!(has(json!(v2), v2) && has(json!(template), v2));
    for other in [
        json!("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
        json!("https://login.microsoftonline.com/{tenantid}/v1.0"),
        json!("https://evil.example/{tenantid}/v2.0"),
        json!("{tenantid}"),
        json!(5),
        json!([v2]),
        Value::Null,
    ] {
        assert!(!has(other.clone(), v2), "{other}");
    }
    assert!(!has(
        json!(template),
        "https://login.microsoftonline.com/a/b/v2.0"
    ));
    assert!(!has(json!(template), "https://login.microsoftonline.com//v2.0"));
}

#[tokio::test]
async fn c13_required_claims() {
    good(&plain(), &token_with([("aud", json!(["x", "api"]))])).await;
    for (claim, code) in [
        ("exp", "exp_missing"),
        ("iss", "iss_missing"),
        ("aud", "aud_missing"),
        ("sub", "sub_missing"),
    ] {
        bad(&plain(), &token_with([(claim, Value::Null)]), code).await;
    }
    for (claim, value, code) in [
        ("iss", json!([ISSUER]), "iss_type"),
        ("iss", json!(format!("{ISSUER}/")), "unknown_issuer"),
        ("aud", json!("api/"), "aud_mismatch"),
        ("aud", json!(["api", 1]), "aud_type"),
        ("sub", json!(1), "sub_malformed"),
        ("exp", json!((NOW + 600).to_string()), "exp_type"),
    ] {
        bad(&plain(), &token_with([(claim, value)]), code).await;
    }
}

#[tokio::test]
async fn c14_times() {
    for (claim, value) in [
        ("exp", json!(NOW - 29)),
        ("nbf", json!(NOW + 30)),
        ("iat", json!(NOW + 30)),
        ("exp", json!(NOW - 10 + 86_400)),
    ] {
        good(&plain(), &token_with([(claim, value)])).await;
    }
    // A day from when it was issued, by a clock that is ahead.
    let a_day = |more: i64| token_with([("iat", json!(NOW + 30)), ("exp", json!(NOW + 30 + 86_400 + more))]);
    good(&plain(), &a_day(0)).await;
    bad(&plain(), &a_day(1), "lifetime").await;
    for (claim, value, code) in [
        ("exp", json!(NOW - 30), "expired"),
        ("nbf", json!(NOW + 31), "not_yet_valid"),
        ("nbf", json!("0"), "nbf_type"),
        ("iat", json!(NOW + 31), "issued_in_future"),
        ("exp", json!(NOW - 9 + 86_400), "lifetime"),
        ("exp", json!(u64::MAX), "lifetime"),
    ] {
        bad(&plain(), &token_with([(claim, value)]), code).await;
    }
    let mut config = plain();
    config.leeway = std::time::Duration::ZERO;
    bad(&config, &token_with([("exp", json!(NOW))]), "expired").await;
    good(&config, &token_with([("exp", json!(NOW + 1))])).await;
}

#[tokio::test]
async fn c15_conditions_of_the_issuer() {
    let mut config = plain();
    config.clients = vec!["vscode".into()];
    for claim in ["azp", "client_id", "cid", "appid"] {
        good(&config, &token_with([(claim, json!("vscode"))])).await;
        bad(&config, &token_with([(claim, json!("other"))]), "client_refused").await;
    }
    bad(&config, &token_with([]), "client_missing").await;
    let two = token_with([("azp", json!("vscode")), ("client_id", json!("other"))]);
    bad(&config, &two, "client_refused").await;

    let mut config = plain();
    config.scopes = vec!["models.use".into(), "models.list".into()];
    for (claim, value) in [
        ("scope", json!("openid models.list models.use")),
        ("scp", json!("models.use models.list")),
        ("scp", json!(["models.use", "models.list"])),
    ] {
        good(&config, &token_with([(claim, value)])).await;
    }
    for (value, code) in [
        (json!("models.use"), "scope_missing"),
        (json!("models.use models.listing"), "scope_missing"),
        (json!(["models.use models.list"]), "scope_missing"),
        (json!({ "models.use": true }), "scope_type"),
        (json!(["models.use", "models.list", 1]), "scope_type"),
    ] {
        bad(&config, &token_with([("scp", value)]), code).await;
    }
    bad(&config, &token_with([]), "scope_missing").await;

    let mut config = plain();
    config.required = [
        ("tid".into(), "t1".into()),
        ("token_use".into(), "access".into()),
        ("level".into(), 2.into()),
    ]
    .into();
    let all = |tid: Value, token_use: Value, level: Value| {
        token_with([("tid", tid), ("token_use", token_use), ("level", level)])
    };
    good(&config, &all(json!("t1"), json!("access"), json!(2))).await;
    for token in [
        all(json!("t2"), json!("access"), json!(2)),
        all(json!("t1"), json!("Access"), json!(2)),
        all(json!("t1"), json!("access"), json!("2")),
        all(json!("t1"), json!("access"), Value::Null),
    ] {
        bad(&config, &token, "required_claim").await;
    }

    let mut config = plain();
    config.audience_claim = "client_id".into();
    config.audiences = vec!["app1".into()];
    let client = |client: Value| token_with([("aud", Value::Null), ("client_id", client)]);
    good(&config, &client(json!("app1"))).await;
    bad(&config, &client(json!("app2")), "aud_mismatch").await;
    bad(&config, &token_with([("aud", json!("app1"))]), "aud_missing").await;
}

#[tokio::test]
async fn c16_other_kinds_of_token() {
    let mut config = plain();
    good(&config, &token_with([("typ", json!("Bearer"))])).await;
    let id_tokens = [
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
        ("c_hash", json!("h")),
        ("typ", json!("ID")),
        ("token_use", json!("id")),
    ];
    let typed = |typ: &str, claims: &Value| {
        let header = json!({ "alg": "EdDSA", "kid": "ed", "typ": typ });
        keys().ed.token(&header, claims)
    };
    for (claim, value) in &id_tokens {
        let mut claims = claims_with([(*claim, value.clone())]);
        bad(&config, &typed("JWT", &claims), "id_token").await;
        // An access token with an ID token's mark, as Keycloak made them, says its kind in one of two ways.
        let is_mark = ["nonce", "at_hash", "c_hash"].contains(claim);
        let at_jwt = typed("at+jwt", &claims);
        if is_mark {
            good(&config, &at_jwt).await;
            claims["typ"] = json!("bearer");
            good(&config, &typed("JWT", &claims)).await;
        } else {
            bad(&config, &at_jwt, "id_token").await;
        }
    }
    config.id_tokens = true;
    for (claim, value) in id_tokens {
        good(&config, &token_with([(claim, value)])).await;
    }
    for (claim, value, code) in [
        ("events", json!({}), "events"),
        ("typ", json!("Refresh"), "token_kind"),
        ("typ", json!("Offline"), "token_kind"),
    ] {
        bad(&config, &token_with([(claim, value)]), code).await;
    }
}

#[tokio::test]
async fn c17_bound_tokens_are_not_bearer_tokens() {
    good(&plain(), &token_with([])).await;
    for cnf in [json!({ "jkt": "x" }), json!({ "x5t#S256": "x" }), json!({})] {
        bad(&plain(), &token_with([("cnf", cnf)]), "cnf_unproven").await;
    }
}

#[tokio::test]
async fn c18_names_are_fit_for_records() {
    good(&plain(), &token_with([("sub", json!("s".repeat(255)))])).await;
    for sub in [
        "s".repeat(256),
        "a\nb".into(),
        "a\0".into(),
        "a\u{85}".into(),
        String::new(),
    ] {
        bad(&plain(), &token_with([("sub", json!(sub))]), "sub_malformed").await;
    }
    let mut config = plain();
    config.subject = vec!["tid".into(), "sub".into()];
    let two = |tid: &str, sub: &str| token_with([("tid", json!(tid)), ("sub", json!(sub))]);
    assert_eq!(judge(&config, &two("a", "b/c")).await.unwrap().subject, "a/b/c");
    bad(&config, &two("a/b", "c"), "subject_malformed").await;
    bad(&config, &two("t", &"s".repeat(254)), "subject_malformed").await;
    bad(&config, &token_with([]), "subject_missing").await;
}

/// More on what is kept: `cached.rs`.
#[tokio::test]
async fn c20_verdicts_end_with_the_token() {
    let verifier = super::kit::alone(plain());
    let token = token_with([("exp", json!(NOW + 10))]);
    let at = |seconds: i64| crate::clock::Timestamp::from_secs(NOW + seconds);
    for (seconds, verdict) in [(0, Ok(())), (39, Ok(())), (40, Err("expired")), (39, Ok(()))] {
        let found = verifier.verify(&token, at(seconds)).await;
        assert_eq!(found.map(drop).map_err(|e| e.code()), verdict, "{seconds}");
    }
}

#[tokio::test]
async fn c21_gateway_tokens_are_of_another_kind() {
    let tokens = GatewayTokens::new([7; 32]);
    let identity = judge(&plain(), &token_with([])).await.unwrap();
    let issued = tokens.issue(&identity, b"nonce", now()).unwrap();
    assert_eq!(tokens.verify(issued.token.expose(), now()).unwrap().subject, "u1");
    assert!(issued.expires_at <= identity.expires_at);
    assert!(issued.expires_at.since(now()).as_secs() <= 15 * 60);
    // Neither verifier takes the other's, nor one that was made to look so.
    bad(&plain(), issued.token.expose(), "segments").await;
    bad(&plain(), &with_header(&[("typ", json!("cg+jwt"))]), "header_typ").await;
    assert!(tokens.verify(&token_with([]), now()).is_err());
    let dressed = format!("gho_cg1{}", b64(token_with([])));
    assert!(tokens.verify(&dressed, now()).is_err());
}

#[tokio::test]
async fn what_the_identity_keeps() {
    let mut config = plain();
    config.directory_key = Some("oid".into());
    config.groups = vec![GroupSource::new("groups")];
    let token = token_with([
        ("jti", json!("j1")),
        ("uti", json!("u-1")),
        ("sid", json!("s1")),
        ("oid", json!("o1")),
    ]);
    let identity = judge(&config, &token).await.unwrap();
    assert_eq!(identity.token_ids, ["j1", "u-1"]);
    assert_eq!(identity.session.as_deref(), Some("s1"));
    assert_eq!(identity.directory_key.as_deref(), Some("o1"));
    assert_eq!(
        identity.issued_at,
        Some(crate::clock::Timestamp::from_secs(NOW - 10))
    );
    let bare = judge(&config, &token_with([("iat", Value::Null)])).await.unwrap();
    assert_eq!(
        (
            bare.token_ids.len(),
            bare.session,
            bare.directory_key,
            bare.issued_at
        ),
        (0, None, None, None)
    );
}
